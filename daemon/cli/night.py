"""`nightloom night ...`: start a night now, and read what the last ones did."""

import click

from daemon.cli import text
from daemon.cli.errors import NightLost, NightOnlyNow
from daemon.cli.exits import ExitCode
from daemon.cli.night_show import passages, show_night
from daemon.cli.output import Json, json_option, say, show, show_line
from daemon.cli.pause import Duration
from daemon.cli.reaching import administration

DEFAULT_NIGHTS = 10


@click.group()
def night() -> None:
    """The nights: what trains on your text while you sleep."""


@night.command("run")
@click.option(
    "--now", is_flag=True, help="At once: whoever is there, and outside of the window too."
)
@click.option("--on-battery", is_flag=True, help="Also while the machine runs on its battery.")
@json_option
@click.pass_context
def run_night(context: click.Context, now: bool, on_battery: bool, as_json: bool) -> None:
    """Start a night and watch it; Ctrl-C stops the watching, not the night.

    It is refused while the machine is too hot, or has too little memory or disk; `nightloom why`
    shows that. Nights that failed before do not count any more.

    A night that its gate refused is a result and no failure. With --json, one line for each step
    of progress, the last one with the night's log entry.
    """
    if not now:
        raise NightOnlyNow
    with administration() as service:
        progress = service.run_night(on_battery=on_battery)
        if as_json:
            entry: Json = {}
            for line in progress:
                show_line(line)
                entry = line.get("night", entry)
        else:
            from daemon.cli.night_progress import watch_night

            try:
                entry = watch_night(progress)
            except KeyboardInterrupt:
                say("The night goes on without being watched; `nightloom status` shows it.")
                raise
            if entry:
                say(_ending(entry))
    if not entry:
        raise NightLost
    if entry.get("state") == "failed":
        context.exit(ExitCode.FAILED)


@night.command("pause")
@click.option(
    "--for", "seconds", type=Duration(), metavar="TIME", help="End by itself after 30m, 2h, 1d ..."
)
@json_option
def pause_nights(seconds: float | None, as_json: bool) -> None:
    """Let no night work until `nightloom night resume`; collecting goes on.

    A night that runs saves a checkpoint and ends; the next one goes on from there. A restart does
    not end the pause.
    """
    with administration() as service:
        show(service.pause_nights(seconds), as_json, _paused_text)


@night.command("resume")
@json_option
def resume_nights(as_json: bool) -> None:
    """Let nights begin by themselves again: after a pause, and after they failed."""
    with administration() as service:
        show(service.resume_nights(), as_json, _resumed_text)


@night.command()
@click.argument("count", metavar="[N]", type=click.IntRange(min=1), default=DEFAULT_NIGHTS)
@json_option
def log(count: int, as_json: bool) -> None:
    """Show what the last N nights did, newest first."""
    with administration() as service:
        show(service.nights(count), as_json, _nights_text)


night.add_command(show_night)
night.add_command(passages)


def _paused_text(answer: Json) -> str:
    until = answer["until"]
    if until is None:
        return "Nights are paused. `nightloom night resume` lets them work again."
    return (
        f"Nights are paused until {text.moment(until)}. `nightloom night resume` lets them work "
        "earlier."
    )


def _resumed_text(answer: Json) -> str:
    if answer["was_paused"]:
        return "Nights work again when all conditions hold; `nightloom why` shows them."
    return (
        "Nights were not paused. They begin when all conditions hold; `nightloom why` shows them."
    )


def _ending(entry: Json) -> str:
    """How the night ended, in a few lines."""
    state = text.value(entry.get("state"))
    sentence = text.value(entry.get("sentence") or entry.get("reason"))
    lines = [f"The night is {state}: {sentence}"]
    if entry.get("held_out_loss_after") is not None:
        lines.append(text.pairs(_measures(entry)))
    return "\n\n".join(lines)


def _measures(entry: Json) -> list[tuple[str, str]]:
    return [
        ("adapter", text.short(entry.get("adapter"))),
        ("documents", text.count(entry.get("documents"))),
        ("tokens", text.count(entry.get("tokens"))),
        ("tokens/s", text.count(entry.get("tokens_per_second"))),
        ("held-out loss", _from_to(entry, "held_out_loss_before", "held_out_loss_after")),
        ("general loss", _from_to(entry, "general_loss_before", "general_loss_after")),
        ("time", text.duration(entry.get("seconds"))),
    ]


def _from_to(entry: Json, before: str, after: str) -> str:
    first, last = entry.get(before), entry.get(after)
    return f"{text.number(first)} → {text.number(last)} ({text.change(first, last)})"


def _nights_text(answer: list[Json]) -> str:
    if not answer:
        return "No nights yet; start one with `nightloom night run --now`."
    rows = [
        (
            text.value(entry["id"]),
            text.moment(entry["started_at"]),
            text.value(entry["state"]),
            text.count(entry["documents"]),
            text.count(entry["tokens"]),
            text.change(entry["held_out_loss_before"], entry["held_out_loss_after"]),
            text.change(entry["general_loss_before"], entry["general_loss_after"]),
            text.short(entry["adapter"]),
            text.duration(entry["seconds"]),
            text.value(entry["reason"]),
        )
        for entry in answer
    ]
    headings = (
        "id",
        "started",
        "state",
        "documents",
        "tokens",
        "held-out",
        "general",
        "adapter",
        "time",
        "reason",
    )
    return text.table(headings, rows, right="r  rrrr r")
