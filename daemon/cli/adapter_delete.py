"""`nightloom adapters delete`: room on the disk, for an adapter that nobody goes back to."""

import click

from daemon.cli import text
from daemon.cli.adapters import adapters
from daemon.cli.asking import confirm
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration


@adapters.command("delete")
@click.argument("adapter", metavar="A")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@json_option
def delete(adapter: str, yes: bool, as_json: bool) -> None:
    """Delete the weights of adapter A for good; never of the one that answers now.

    It stays in the list as withdrawn. Old ones go by themselves beyond `adapters_gb`.
    """
    with administration() as service:
        if not yes:
            confirm("The adapter's weights will be gone for good. Delete them?")
        show(service.delete_adapter(adapter), as_json, _deleted_text)


def _deleted_text(answer: Json) -> str:
    digest = text.short(answer["sha256"])
    if not answer["freed_bytes"]:
        return f"Adapter {digest} had no weights any more."
    return f"The weights of adapter {digest} are gone; {text.size(answer['freed_bytes'])} are free."
