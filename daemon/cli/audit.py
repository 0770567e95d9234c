"""`nightloom privacy audit`: who asked, what was collected, learned, forgotten; and checks."""

import sys
import time
from collections.abc import Iterable
from typing import Any

import click

from daemon.cli import text
from daemon.cli.errors import AuditLost
from daemon.cli.exits import ExitCode
from daemon.cli.output import Json, json_option, say, show
from daemon.cli.preview import line
from daemon.cli.reaching import administration

MARKS = {True: "✓", False: "✗", None: "·"}
DAY_SECONDS = 24 * 60 * 60
MOST_SHOWN = 20  # events of a kind, the newest; `--json` has all


@click.command()
@click.option(
    "--since",
    "days",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Show what happened in the last so many days; everything by default.",
)
@click.option(
    "--quick", is_flag=True, help="Leave out what takes long: opening every seal, reading files."
)
@json_option
@click.pass_context
def audit(context: click.Context, days: float | None, quick: bool, as_json: bool) -> None:
    """Show who asked and what was done, and check that all is as it should be.

    Opens every seal, looks at the rights of every file, and searches nightloom's files for pieces
    of the stored text. Fails if a check fails.
    """
    since = None if days is None else time.time() - days * DAY_SECONDS
    answer: Json | None = None
    with administration() as service:
        for entry in service.audit(quick=quick, since=since):
            if "progress" in entry:
                _tell(entry["progress"], as_json)
            else:
                answer = entry["audit"]
    _tell(None, as_json)
    if answer is None:
        raise AuditLost
    show(answer, as_json, audit_text)
    if not answer["holds"]:
        context.exit(ExitCode.FAILED)


def audit_text(answer: Json) -> str:
    parts = [
        _table(
            "asked", ("socket", "program", "user", "requests", "tokens", "last"), _asked(answer)
        ),
        _table("served", ("model", "requests", "tokens"), _served(answer)),
        _table("collected", ("source", "documents", "kept out", "last"), _collected(answer)),
        _table("nights", ("night", "state", "reason", "when"), _nights(answer)),
        _table("published", ("adapter", "night", "documents", "when"), _published(answer)),
        _table("forgotten", ("event", "what", "when"), _events(answer["forgotten"])),
        _table("exported", ("event", "documents", "adapters", "to", "when"), _exported(answer)),
        _table("other events", ("event", "what", "when"), _events(answer["others"])),
        findings_table("this machine", answer["host"]),
        _checks(answer),
    ]
    return "\n\n".join(part for part in parts if part)


def _asked(answer: Json) -> list[tuple[str, ...]]:
    return [
        (
            line(one["socket"]),
            line(one["program"]),
            line(one["uid"]),
            text.count(one["requests"]),
            text.count(one["tokens"]),
            text.moment(one["last_at"]),
        )
        for one in answer["asked"]
    ]


def _served(answer: Json) -> list[tuple[str, ...]]:
    return [
        (line(one["model"]), text.count(one["requests"]), text.count(one["tokens"]))
        for one in answer["served"]
    ]


def _collected(answer: Json) -> list[tuple[str, ...]]:
    return [
        (
            line(one["source"]),
            text.count(one["documents"]),
            text.count(one["kept_out"]),
            text.moment(one["last_at"]),
        )
        for one in answer["collected"]
    ]


def _nights(answer: Json) -> list[tuple[str, ...]]:
    return [
        (text.value(n["night"]), line(n["state"]), line(n.get("reason")), text.moment(n["at"]))
        for n in answer["nights"]
    ]


def _published(answer: Json) -> list[tuple[str, ...]]:
    return [
        (
            line(one["adapter"]),
            text.value(one["night"]),
            text.count(one["documents"]),
            text.moment(one["at"]),
        )
        for one in answer["published"]
    ]


def _exported(answer: Json) -> list[tuple[str, ...]]:
    return [
        (
            text.value(one["event"]),
            text.count(one["documents"]),
            line(", ".join(one["adapters"]) or None),
            line(one["folder"]),
            text.moment(one["at"]),
        )
        for one in answer["exported"]
    ]


def _events(events: Iterable[Json]) -> list[tuple[str, ...]]:
    return [
        (
            text.value(event["event"]),
            line(event["kind"]).replace("_", " ") + _facts(event),
            text.moment(event["at"]),
        )
        for event in events
    ]


def _facts(event: Json) -> str:
    """The facts that are one word or number."""
    told = [
        f"{name.replace('_', ' ')} {line(value)}"
        for name, value in event.items()
        if name not in ("event", "kind", "at") and isinstance(value, (str, int, float))
    ]
    return f" ({', '.join(told)})" if told else ""


def _table(title: str, headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return f"{title}: nothing"
    left_out = len(rows) - MOST_SHOWN
    more = f"\n({left_out} earlier ones; --json shows all)" if left_out > 0 else ""
    return f"{title}\n{text.table(headings, rows[-MOST_SHOWN:])}{more}"


def _checks(answer: Json) -> str:
    verdict = "All checks hold." if answer["holds"] else "Not all checks hold."
    return f"{findings_table('check', answer['checks'])}\n\n{verdict}"


def findings_table(title: str, findings: Iterable[Json]) -> str:
    """Findings, one a line, marked."""
    rows = [
        (MARKS[one["holds"]], line(one["name"]), line(one["value"]), line(one["advice"]))
        for one in findings
    ]
    return text.table(("", title, "is", "what to do"), rows)


def _tell(progress: dict[str, Any] | None, as_json: bool) -> None:
    """One line on a terminal, written over; nothing elsewhere."""
    if as_json or not sys.stdout.isatty():
        return
    if progress is None:
        say("\r\x1b[K", end="")
        return
    share = "" if progress["share"] is None else f" {progress['share']:.0%}"
    say(f"\r\x1b[Klooking at: {progress['check']}{share}", end="")
