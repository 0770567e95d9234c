"""`nightloom adapters delete`: room on the disk, for an adapter that nobody goes back to."""

from collections.abc import Iterable

import click

from daemon.cli import text
from daemon.cli.adapters import adapters
from daemon.cli.asking import confirm
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration


@adapters.command("delete")
@click.argument("adapter", metavar="A")
@click.option("--pinned", is_flag=True, help="Also one that is kept to go back to.")
@click.option("--now", is_flag=True, help="End answers that it gives at the moment.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@json_option
def delete(adapter: str, pinned: bool, now: bool, yes: bool, as_json: bool) -> None:
    """Delete the weights of adapter A for good; never of the one that answers now.

    A is a digest or the first characters of one. It stays in the list as withdrawn. Answers that
    it gives at the moment come to their end unless --now is given. Old ones go by themselves
    beyond `adapters_gb`.
    """
    with administration() as service:
        meant = service.adapter(adapter)
        if not yes:
            confirm(_question(meant))
        gone = service.delete_adapter(meant["sha256"], pinned=pinned, now=now)
    show(gone | {"exports": meant["exports"]}, as_json, _deleted_text)


def _question(meant: Json) -> str:
    digest, documents = text.short(meant["sha256"]), text.plural(meant["documents"], "document")
    return (
        f"The weights of adapter {digest}, which saw {documents}, will be gone for good. "
        "Delete them?"
    )


def _deleted_text(answer: Json) -> str:
    digest = text.short(answer["sha256"])
    if not answer["freed_bytes"]:
        lines = [f"Adapter {digest} had no weights any more."]
    else:
        freed = text.size(answer["freed_bytes"])
        lines = [f"The weights of adapter {digest} are gone; {freed} are free."]
    if answer["answering"]:
        lines.append(
            "It still answers somebody; when that ends it leaves the engine's memory too "
            "(`--now` would not have waited)."
        )
    return "\n".join([*lines, *export_lines(digest, answer["exports"])])


def export_lines(digest: str, exports: Iterable[Json]) -> list[str]:
    """What stays of an adapter outside of the vault, a line for each time that it was exported."""
    return [
        f"Adapter {digest} was exported on {text.moment(one['at'])} to "
        f"{text.value(one['folder'])}: that stays until you delete it."
        for one in exports
    ]
