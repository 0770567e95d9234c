"""`nightloom privacy ...`: what may be collected, and what tonight would train on."""

from pathlib import Path
from typing import Any

import click

from daemon.cli import text
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration


@click.group()
def privacy() -> None:
    """Say what nightloom may read, and see what it has."""


@privacy.group()
def sources() -> None:
    """The places that text is collected from; nothing else is read."""


@sources.command("add")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", metavar="N", help="A name for the source; the folder's own by default.")
@click.option(
    "--kind",
    type=click.Choice(["folder"]),
    default="folder",
    show_default=True,
    help="What stands at PATH.",
)
@click.option(
    "--include",
    multiple=True,
    metavar="GLOB",
    help="Read only files like this; may be given again. Plain text files by default.",
)
@click.option(
    "--exclude", multiple=True, metavar="GLOB", help="Never read files like this; may be repeated."
)
@json_option
def add_source(
    path: Path,
    name: str | None,
    kind: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    as_json: bool,
) -> None:
    """Allow the text under PATH to be collected, now and whenever it changes."""
    with administration() as service:
        answer = service.add_source(
            str(path.absolute()),  # the service has a working directory of its own
            name=name,
            kind=kind,
            include=include,
            exclude=exclude,
        )
        show(
            answer,
            as_json,
            lambda added: (
                f"Source {text.value(added.get('name'))} is added and being read; "
                "`nightloom privacy sources list` shows how far it is."
            ),
        )


@sources.command("list")
@json_option
def list_sources(as_json: bool) -> None:
    """List the sources: where, how many documents, what was skipped and why."""
    with administration() as service:
        show(service.sources(), as_json, _sources_text)


@sources.command("remove")
@click.argument("name")
@json_option
def remove_source(name: str, as_json: bool) -> None:
    """Stop collecting from source NAME; what it gave stays in the vault."""
    with administration() as service:
        show(
            service.remove_source(name),
            as_json,
            lambda gone: (
                "The source is removed and nothing more is read from it; "
                f"{text.plural(gone.get('kept_documents'), 'document')} of it stay in the vault."
            ),
        )


@privacy.command()
@json_option
def preview(as_json: bool) -> None:
    """Show what tonight would train on, and whether it is enough."""
    with administration() as service:
        show(service.preview(), as_json, _preview_text)


@privacy.command()
@json_option
def rescan(as_json: bool) -> None:
    """Read all sources again now, and wait until that is done."""
    with administration() as service:
        show(service.rescan(), as_json, _counts_text)


def _sources_text(answer: list[Json]) -> str:
    if not answer:
        return "No sources yet; allow one with `nightloom privacy sources add PATH`."
    rows = [
        (
            text.value(source["name"]),
            text.value(source["kind"]),
            text.value(source["state"]),
            text.count(source["documents"]),
            text.moment(source["last_scan_at"]),
            _reasons(source["skipped"]) or text.value(source["last_error"]),
            text.value(source["path"]),
        )
        for source in answer
    ]
    headings = ("name", "kind", "state", "documents", "last read", "skipped", "path")
    return text.table(headings, rows, right="   r")


def _preview_text(answer: Json) -> str:
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
        verdict = (
            f"Tonight would learn from {text.plural(answer['total_new_documents'], 'new document')}"
            f", about {text.count(answer['about_tokens'])} tokens."
        )
    else:
        missing = text.count(answer["missing_tokens"])
        verdict = text.value(
            answer.get("sentence") or f"A night needs about {missing} more tokens of new text."
        )
    return f"{listed}\n\n{verdict}" if rows else verdict


def _counts_text(answer: Json) -> str:
    counts = ((name.replace("_", " "), text.value(found)) for name, found in answer.items())
    return text.pairs(counts) or "All sources are read."


def _reasons(skipped: dict[str, Any]) -> str:
    return ", ".join(f"{text.value(why)} {text.count(found)}" for why, found in skipped.items())
