"""`nightloom privacy ...`: the group, and what may be collected."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.cli import text
from daemon.cli.forget import forget, forget_after_asking, remember
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration
from daemon.cli.source_list import failed_text, sources_text
from daemon.cli.speakers import add_naming_me

if TYPE_CHECKING:
    from ipc.client import AdminClient

CONVERSATIONS = "conversations"
NEEDS_PATH = "Name the PATH to collect from; only --kind conversations has none."
BEING_READ = " and being read; `nightloom privacy sources list` shows how far it is."
WHOSE = "Is this mostly your own writing? What others wrote is read, but is no voice to learn"
HEARD = ": what is said over api.sock is kept from now on, unless its client says X-No-Train: 1."
HAS_NO_PATH = "Chats with nightloom lie at no place; leave PATH out with --kind conversations."


@click.group()
def privacy() -> None:
    """Say what nightloom may read, and see what it has."""


privacy.add_command(forget)
privacy.add_command(remember)


@privacy.group()
def sources() -> None:
    """The places that text is collected from; nothing else is read."""


@sources.command("add")
@click.argument("path", type=click.Path(path_type=Path), required=False)
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
    help="Read only files like this; may be repeated. Text, pages, letters and books by default.",
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
    default=None,
    help="Mostly your own writing, or what others wrote: no voice to learn. Asked on a terminal.",
)
@click.option(
    "--keep-deleted/--drop-deleted",
    default=True,
    show_default=True,
    help="Whether text stays in the vault when its file is deleted.",
)
@click.option(
    "--wait/--no-wait",
    default=None,
    help="Show how far the first look is until its end, as on a terminal and with --json.",
)
@json_option
def add_source(
    path: Path | None,
    name: str | None,
    kind: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    me: tuple[str, ...],
    own: bool | None,
    keep_deleted: bool,
    wait: bool | None,
    as_json: bool,
) -> None:
    """Allow the text under PATH to be collected, now and whenever it changes.

    Kind conversations, the chats that are held with nightloom itself, has no PATH: they are
    collected from then on, but for those whose client sends X-No-Train: 1.
    """
    if (path is None) != (kind == CONVERSATIONS):
        raise click.UsageError(NEEDS_PATH if path is None else HAS_NO_PATH)
    with administration() as service:
        place = None if path is None else str(path.absolute())  # the service has its own folder
        add = partial(
            service.add_source,
            place,
            name=name,
            kind=kind,
            include=include,
            exclude=exclude,
            own=_is_own(kind) if own is None and not as_json else own is not False,
            keep_deleted=keep_deleted,
        )
        answer = add_naming_me(
            lambda me: add(me=me),
            lambda me: service.speakers(place, me=me) if place and kind == "chats" else [],
            me,
            quiet=as_json,
        )
        if path is not None and (sys.stdout.isatty() or as_json if wait is None else wait):
            _follow_first_scan(service, answer, as_json)
            return
        show(
            answer,
            as_json,
            lambda added: _added_text(added) + (HEARD if kind == CONVERSATIONS else BEING_READ),
        )


def _is_own(kind: str) -> bool:
    """Whose writing it is, from who sits at the terminal; elsewhere it is the user's own.

    In mail and chats the user's own words are known.
    """
    if kind != "folder" or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    return click.confirm(WHOSE, default=True, err=True)


def _follow_first_scan(service: "AdminClient", added: Json, as_json: bool) -> None:
    """Leaving it leaves the service reading."""
    from daemon.cli.scan_progress import scanned_text, watch_scan

    name = str(added.get("name"))
    try:
        last = watch_scan(service.scan(name), name)
    except KeyboardInterrupt:
        show(added, as_json, lambda added: _added_text(added) + BEING_READ)
        return
    facts = {**(last.get("source") or added), "counts": last.get("counts")}
    show(facts, as_json, lambda _: scanned_text(name, last))


@sources.command("list")
@click.option("--failed", is_flag=True, help="Name the files that could not be read, and why.")
@json_option
def list_sources(failed: bool, as_json: bool) -> None:
    """List the sources: where, how many documents, what was skipped and why."""
    with administration() as service:
        if failed:
            show(service.failed(), as_json, failed_text)
        else:
            show(service.sources(), as_json, sources_text)


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


def _added_text(added: Json) -> str:
    return f"Source {text.value(added.get('name'))} is added"


def _counts_text(answer: Json) -> str:
    counts = ((name.replace("_", " "), text.value(found)) for name, found in answer.items())
    return text.pairs(counts) or "All sources are read."
