"""`nightloom privacy preview`: what tonight would train on, with the text itself on request.

Text goes to the terminal and, there, through the pager; its control characters stay behind.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from daemon.cli import text
from daemon.cli.output import Json, json_option, show, show_line
from daemon.cli.reaching import administration

if TYPE_CHECKING:
    from ipc.client import AdminClient

PAGE_DOCUMENTS = 20
WAITS = {
    "night_full": "this is more than tonight can read, and the best comes first",
    "reading_full": "of others, tonight reads what an eighth of its text holds",
    "too_little_text": "there is too little new text",
}


@click.command()
@click.option("--text", "with_text", is_flag=True, help="Show the text itself, page by page.")
@click.option(
    "--document",
    type=click.IntRange(min=1),
    metavar="ID",
    help="Show the text of one document, by its number.",
)
@click.option(
    "--page",
    type=click.IntRange(min=1),
    metavar="K",
    help=f"Show the documents of page K, {PAGE_DOCUMENTS} on each.",
)
@json_option
def preview(with_text: bool, document: int | None, page: int | None, as_json: bool) -> None:
    """Show what tonight would train on, and whether it is enough.

    What redaction took out stands in the text as [email 1] and is marked in colour. With --json
    and text, one line for each document.
    """
    with administration() as service:
        if document is not None:
            _show_texts(service.texts(document=document), as_json)
        elif not with_text:
            answer = service.preview()
            if page is None:
                show(answer, as_json, preview_text)
            else:
                show(_of_page(answer, page), as_json, _page_text)
        elif page is None:
            _show_texts(service.texts(), as_json)
        else:
            answer = _of_page(service.preview(), page)
            _show_texts(_texts_of(answer["documents"], service), as_json, _no_page(answer))


def preview_text(answer: Json) -> str:
    """The sources, and whether there is enough."""
    rows = [
        (
            text.value(source["name"]),
            text.count(source["documents"]),
            text.count(source["new_documents"]),
            text.count(source["characters"]),
        )
        for source in answer["sources"]
    ]
    listed = text.table(("source", "documents", "new", "characters"), rows, right=" rrr")
    if answer["enough"]:
        verdict = _tonight(answer)
    else:
        missing = text.count(answer["missing_tokens"])
        verdict = text.value(
            answer.get("sentence") or f"A night needs about {missing} more tokens of new text."
        )
    parts = [listed] if rows else []
    if answer["left_out"]:
        parts.append(_left_out_text(answer["left_out"]))
    return "\n\n".join([*parts, verdict])


def _tonight(answer: Json) -> str:
    """What the night takes, and what waits for another one and why."""
    documents = answer.get("tonight_documents", answer["total_new_documents"])
    tokens = answer.get("tonight_tokens", answer["about_tokens"])
    said = [
        f"Tonight would learn from {text.plural(documents, 'new document')}"
        f", about {text.count(tokens)} tokens."
    ]
    if read := answer.get("reading_documents", 0):
        said.append(f"{text.plural(read, 'text')} of others would be read beside them.")
    for reason, count in answer.get("waiting", {}).items():
        why = WAITS.get(reason, text.value(reason))
        said.append(f"Another night: {text.plural(count, 'new document')}; {why}.")
    return "\n".join(said)


def _left_out_text(counts: Json) -> str:
    """How many are left out for which reason; they are looked at again the next night."""
    rows = [
        (text.value(reason), text.count(count), why_left_out(reason))
        for reason, count in counts.items()
    ]
    return text.table(("left out", "documents", "because"), rows, right=" r ")


def why_left_out(reason: str) -> str:
    """What stands behind the name of a reason."""
    from trainer.quality import REASONS

    return REASONS.get(reason, "a rule of another version")


# --------------------------------------------------------------------------- pages


def _of_page(answer: Json, page: int) -> Json:
    start = (page - 1) * PAGE_DOCUMENTS
    documents = answer["documents"]
    pages = -(-len(documents) // PAGE_DOCUMENTS)
    return {
        **answer,
        "documents": documents[start : start + PAGE_DOCUMENTS],
        "page": page,
        "pages": pages,
    }


def _page_text(answer: Json) -> str:
    rows = [
        (
            text.value(document["document"]),
            text.value(document["source"]),
            text.count(document["characters"]),
            text.value(document["language"]),
            _verdict(document),
            line(document["path"]),
        )
        for document in answer["documents"]
    ]
    if not rows:
        return _no_page(answer)
    heads = ("document", "source", "characters", "language", "not tonight", "path")
    listed = text.table(heads, rows, right="r r   ")
    return f"{listed}\n\nPage {answer['page']} of {answer['pages']}."


def _verdict(document: Json) -> str:
    """Why it is not for tonight, if it is not."""
    if document["left_out"] is None:
        return text.value(document.get("waits_for") or "")
    if document["twin_of"] is None:
        return text.value(document["left_out"])
    return f"{text.value(document['left_out'])} of {text.value(document['twin_of'])}"


def _no_page(answer: Json) -> str:
    return f"There is no page {answer['page']}; the pages are 1 to {max(answer['pages'], 1)}."


def _texts_of(documents: list[Json], service: "AdminClient") -> Iterator[Json]:
    if documents:
        first = int(documents[0]["document"])
        yield from service.texts(after=first - 1, count=len(documents))


# --------------------------------------------------------------------------- text


def _show_texts(
    documents: Iterable[Json], as_json: bool, nothing: str = "There is no new text for tonight."
) -> None:
    if as_json:
        for document in documents:
            show_line(document)
        return
    with _pager_without_history():
        click.echo_via_pager(_shown(documents, nothing))


def _shown(documents: Iterable[Json], nothing: str) -> Iterator[str]:
    none = True
    for document in documents:
        yield (_what_is_cut() if none else "") + "\n\n" + document_text(document)
        none = False
    yield f"{nothing}\n" if none else "\n"


def _what_is_cut() -> str:
    """The texts are shown whole; of very many only a night knows what they have in common."""
    from trainer.curation_facts import SHARED_LINES

    return f"Not learned ({SHARED_LINES}): {why_left_out(SHARED_LINES)}."


def document_text(document: Json) -> str:
    """A heading and the text, with the placeholders marked."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in document["redactions"].items())
    heading = (
        f"document {document['document']}  {line(document['source'])}  {line(document['path'])}"
        f"  ({document['state']}; redacted: {line(kinds) or 'nothing'})"
    )
    content = marked(document["text"], document["placeholders"], colour=True)
    return f"{click.style(heading, bold=True)}\n\n{content}"


def marked(content: str, placeholders: Iterable[Json], *, colour: bool) -> str:
    """Printable text, the placeholders in colour."""
    pieces, at = [], 0
    for place in placeholders:
        pieces.append(text.printable(content[at : place["start"]]))
        shown = text.printable(content[place["start"] : place["end"]])
        pieces.append(click.style(shown, fg="yellow", bold=True) if colour else shown)
        at = place["end"]
    pieces.append(text.printable(content[at:]))
    return "".join(pieces)


def line(anything: object) -> str:
    """On one line, whatever a file is called."""
    return text.value(anything).replace("\n", "?").replace("\t", " ")


@contextmanager
def _pager_without_history() -> Iterator[None]:
    """`less` keeps what was searched for in a file of its own, and can write what it shows."""
    before = {name: os.environ.get(name) for name in ("LESSHISTFILE", "LESSSECURE")}
    os.environ |= {"LESSHISTFILE": "-", "LESSSECURE": "1"}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
