"""`nightloom base ...`: the 4-bit models that adapters are trained on."""

import click

from daemon.cli import text
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration


@click.group()
def base() -> None:
    """The base models that nightloom can serve and train on."""


@base.command("list")
@json_option
def list_bases(as_json: bool) -> None:
    """List the base models, with the one in use marked."""
    with administration() as service:
        show(service.bases(), as_json, _bases_text)


def _bases_text(answer: list[Json]) -> str:
    if not answer:
        return "No base is installed; install nightloom again to get the built-in one."
    keys = list(answer[0])
    rows = [[_cell(key, listed.get(key)) for key in keys] for listed in answer]
    return text.table([key.replace("_", " ") for key in keys], rows)


def _cell(key: str, found: object) -> str:
    if key.endswith("bytes") and isinstance(found, int):
        return text.size(found)
    if key in ("identity", "sha256") and isinstance(found, str):
        return text.short(found)
    if isinstance(found, int) and not isinstance(found, bool):
        return text.count(found)
    return text.value(found)
