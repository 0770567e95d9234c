"""`nightloom privacy forget ...` and `remember`: what is taken back, after its cost was shown.

What is to be forgotten goes to the service in a body, never in arguments of a process: a text is
asked for, or read from stdin.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.cli import text
from daemon.cli.adapter_delete import export_lines
from daemon.cli.errors import NobodyToAsk, NotConfirmed, NothingToForgetNamed, TextNotGiven
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration

if TYPE_CHECKING:
    from ipc.client import AdminClient

LONGEST_TEXT = 1 << 20  # characters


@click.command()
@click.option("--source", metavar="N", help="Everything that source N ever gave.")
@click.option(
    "--document",
    type=click.IntRange(min=1),
    metavar="ID",
    help="One document with all its versions; `nightloom privacy preview --json` has the numbers.",
)
@click.option(
    "--matching",
    is_flag=True,
    help="Documents that hold a text; it is asked for, or read from stdin. Capitals count, line "
    "ends and blanks do not.",
)
@click.option("--everything", is_flag=True, help="All documents and all adapters.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@json_option
def forget(
    source: str | None,
    document: int | None,
    matching: bool,
    everything: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Take text back: from the vault, and from every adapter that learned it.

    First it is said what this costs. Adapters that saw the text are withdrawn and their weights
    destroyed; the newest one that did not see it answers, and the next nights learn the rest again.
    """
    what = _what(source=source, document=document, matching=matching, everything=everything)
    with administration() as service:
        forget_after_asking(service, what, yes=yes, as_json=as_json)


def forget_after_asking(
    service: "AdminClient",
    what: Json,
    *,
    yes: bool,
    as_json: bool,
    first: Callable[[], object] = lambda: None,
) -> None:
    """Show the cost, ask, do `first`, and forget. Raises `NobodyToAsk`, `NotConfirmed`."""
    cost = service.forgetting_cost(what)
    if not yes:
        click.echo(cost_text(cost), err=as_json)
        _ask()
    elif not as_json:
        click.echo(cost_text(cost))
    first()
    show(service.forget(what), as_json, done_text)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def remember(path: Path, as_json: bool) -> None:
    """Allow forgotten files at PATH to be collected again."""
    with administration() as service:
        show(service.remember(str(path.absolute())), as_json, _remembered_text)


def _what(
    *, source: str | None, document: int | None, matching: bool, everything: bool
) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if source is not None:
        given["source"] = source
    if document is not None:
        given["document"] = document
    if matching:
        given["matching"] = True
    if everything:
        given["everything"] = True
    if len(given) != 1:
        raise NothingToForgetNamed
    return {"matching": _text()} if matching else given


def _text() -> str:
    """From the terminal or from stdin. Raises `TextNotGiven`."""
    if sys.stdin.isatty():
        typed = str(click.prompt("Text to look for", default="", show_default=False, err=True))
    else:
        typed = sys.stdin.read(LONGEST_TEXT)
    if not typed.strip():
        raise TextNotGiven
    return typed


def _ask() -> None:
    if not sys.stdin.isatty():
        raise NobodyToAsk
    if not click.confirm("Forget this?", default=False, err=True):
        raise NotConfirmed


def cost_text(cost: Json) -> str:
    lines = [f"{text.plural(cost['documents'], 'document')} will be forgotten for good."]
    fallen = cost["adapters"]
    if fallen:
        lines.append(
            f"{text.plural(len(fallen), 'adapter')} learned from them, or from one that did, and "
            f"will be destroyed: {', '.join(map(text.short, fallen))}."
        )
    if cost["adapter"] != cost["adapter_then"]:
        lines.append(f"Then {_answers(cost['adapter_then'])}.")
    if cost["queued_documents"]:
        lines.append(
            f"{text.plural(cost['queued_documents'], 'other document')} will be learned again, "
            f"{_nights(cost)}."
        )
    return "\n".join([*lines, *_exported(cost)])


def _exported(cost: Json) -> list[str]:
    """Copies of the fallen adapters that nobody can take back; absent from older services."""
    return [
        line
        for one in cost.get("exported", ())
        for line in export_lines(text.short(one["adapter"]), [one])
    ]


def _answers(adapter: str | None) -> str:
    return f"adapter {text.short(adapter)} answers" if adapter else "the plain base answers"


def _nights(cost: Json) -> str:
    about = cost["nights_to_learn_again"]
    return "in the next nights" if about is None else f"in about {text.plural(about, 'night')}"


def done_text(done: Json) -> str:
    lines = [f"Forgotten: {text.plural(done['documents'], 'document')}."]
    if done["adapters"]:
        lines.append(
            f"{text.plural(len(done['adapters']), 'adapter')} destroyed; "
            f"{_answers(done['adapter_then'])} now."
        )
    if done["queued_documents"]:
        lines.append(
            f"Queued: {text.plural(done['queued_documents'], 'document')} to be learned again, "
            f"{_nights(done)}."
        )
    if not done["rotated"]:
        lines.append("The keys were not exchanged; `nightloom key rotate` does it.")
    lines.append("What cannot be promised:")
    lines += [f"  {text.value(one)}" for one in done["cannot_promise"]]
    lines += [f"  {line}" for line in _exported(done)]
    return "\n".join(lines)


def _remembered_text(answer: Json) -> str:
    if not answer["remembered"]:
        return "Nothing at this path was forgotten."
    return f"{text.plural(answer['remembered'], 'file')} will be collected again."
