"""`nightloom base ...`: the 4-bit models that adapters are trained on."""

import click

from daemon.cli import text
from daemon.cli.base_add import add
from daemon.cli.base_changes import remove, use
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration


@click.group()
def base() -> None:
    """The base models that nightloom can serve and train on."""


@base.command("list")
@click.option(
    "--recommended",
    is_flag=True,
    help="List models that are worth adding instead, and which suits this machine's memory.",
)
@json_option
def list_bases(recommended: bool, as_json: bool) -> None:
    """List the base models; a star stands before the one in use."""
    if recommended:
        from daemon.cli.base_recommended import recommendations, recommended_text

        show(recommendations(), as_json, recommended_text)
        return
    with administration() as service:
        show(service.bases(), as_json, _bases_text)


def _bases_text(answer: list[Json]) -> str:
    rows = [
        (
            "*" if listed["in_use"] else "",
            text.value(listed["name"]),
            text.count(listed.get("parameters")),
            text.count(listed.get("context_tokens")),
            text.size(listed.get("weights_bytes")),
            text.short(listed.get("identity")),
            text.value(listed.get("problem") or listed.get("description")),
        )
        for listed in answer
    ]
    headings = ("", "name", "parameters", "context", "size", "identity", "what it is")
    return text.table(headings, rows, right="  rrr")


for verb in (add, use, remove):
    base.add_command(verb)
