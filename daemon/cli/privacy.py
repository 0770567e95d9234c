"""`nightloom privacy ...`: the group, and what may be collected."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from daemon.cli import text
from daemon.cli.forget import forget, forget_after_asking, remember
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration


@click.group()
def privacy() -> None:
    """Say what nightloom may read, and see what it has."""


privacy.add_command(forget)
privacy.add_command(remember)


@privacy.group()
def sources() -> None:
    """The places that text is collected from; nothing else is read."""


@sources.command("add")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", metavar="N", help="A name for the source; the folder's own by default.")
@click.option(
    "--kind",
    type=click.Choice(["folder", "mail", "chats", "conversations"]),
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
@click.option(
    "--me",
    multiple=True,
    metavar="WHO",
    help="An address or name in it that is yours; may be repeated. For mail and chats.",
)
@click.option(
    "--own/--reading",
    default=True,
    show_default=True,
    help="Mostly your own writing, or what others wrote: no voice to learn.",
)
@click.option(
    "--keep-deleted/--drop-deleted",
    default=True,
    show_default=True,
    help="Whether text stays in the vault when its file is deleted.",
)
@json_option
def add_source(
    path: Path,
    name: str | None,
    kind: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    me: tuple[str, ...],
    own: bool,
    keep_deleted: bool,
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
            me=me,
            own=own,
            keep_deleted=keep_deleted,
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
@click.option("--forget", "and_forget", is_flag=True, help="And forget all that it ever gave.")
@click.option("--yes", is_flag=True, help="With --forget: do it without asking.")
@json_option
def remove_source(name: str, and_forget: bool, yes: bool, as_json: bool) -> None:
    """Stop collecting from source NAME; what it gave stays in the vault, unless with --forget."""
    with administration() as service:
        if and_forget:
            before_forgetting = partial(service.remove_source, name)
            forget_after_asking(
                service, {"source": name}, yes=yes, as_json=as_json, first=before_forgetting
            )
            return
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


def _counts_text(answer: Json) -> str:
    counts = ((name.replace("_", " "), text.value(found)) for name, found in answer.items())
    return text.pairs(counts) or "All sources are read."


def _reasons(skipped: dict[str, Any]) -> str:
    return ", ".join(f"{text.value(why)} {text.count(found)}" for why, found in skipped.items())
