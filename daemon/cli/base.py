"""`nightloom base ...`: the 4-bit models that adapters are trained on."""

import click

from daemon.cli import text
from daemon.cli.base_add import add
from daemon.cli.base_changes import remove, use
from daemon.cli.base_export import export
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration, home


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
    """List the base models, and what this machine can do with each.

    A star stands before the one in use. How fast the machine learns is measured once, which takes
    some seconds; `nightloom doctor` measures again.
    """
    if recommended:
        from daemon.cli.base_recommended import recommendations, recommended_text

        show(recommendations(), as_json, recommended_text)
        return
    with administration() as service:
        listed = service.bases()
    show(_with_fits(listed), as_json, _bases_text)


def _with_fits(listed: list[Json]) -> list[Json]:
    """The service's answer with what each base needs here."""
    from daemon.bases import Bases
    from daemon.cli.base_fits import NONE, fits
    from daemon.cli.machine_speed import machine_speed
    from daemon.config import load_config

    place = home()
    speed = machine_speed(place.bases)
    found = dict(fits(Bases(place.bases).all(), load_config(place.config_file), speed))
    return [one | found.get(one["name"], NONE) for one in listed]


def _bases_text(answer: list[Json]) -> str:
    from daemon.cli import base_fits

    rows = [
        (
            "*" if listed["in_use"] else "",
            text.value(listed["name"]),
            text.count(listed.get("parameters")),
            text.count(listed.get("context_tokens")),
            text.size(listed.get("weights_bytes")),
            text.size(listed["serve_bytes"]),
            text.size(listed["train_bytes"]),
            base_fits.here(listed),
            base_fits.tokens(listed["tokens_per_night"]),
            text.short(listed.get("identity")),
            text.value(listed.get("problem") or listed.get("description")),
        )
        for listed in answer
    ]
    headings = (
        "", "name", "parameters", "context", "size", "to serve", "to train", "here",
        "tokens a night", "identity", "what it is",
    )  # fmt: skip
    table = text.table(headings, rows, right="  rrrrr r")
    return f"{table}\n\n{base_fits.explained()}"


for verb in (add, use, remove, export):
    base.add_command(verb)
