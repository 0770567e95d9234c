"""`nightloom pause` and `nightloom resume`: everything stands still for a while."""

import click

from daemon.cli import text
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration


class Duration(click.ParamType[float]):
    """A length of time such as `2h`, in seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        from daemon.durations import parse_duration

        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option(
    "--for", "seconds", type=Duration(), metavar="TIME", help="End by itself after 30m, 2h, 1d ..."
)
@json_option
def pause(seconds: float | None, as_json: bool) -> None:
    """Collect nothing and train nothing until `nightloom resume`; answering goes on.

    A night that runs saves a checkpoint and ends; the next one goes on from there. A restart does
    not end the pause.
    """
    with administration() as service:
        show(service.pause(seconds), as_json, _paused_text)


@click.command()
@json_option
def resume(as_json: bool) -> None:
    """End the pause: collect again, and read what was written meanwhile."""
    with administration() as service:
        show(service.resume(), as_json, _resumed_text)


def _paused_text(answer: Json) -> str:
    until = answer["until"]
    if until is None:
        return "Paused. `nightloom resume` goes on."
    return f"Paused until {text.moment(until)}. `nightloom resume` goes on earlier."


def _resumed_text(answer: Json) -> str:
    return "The pause is over." if answer["was_paused"] else "There was no pause."
