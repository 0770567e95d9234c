"""`nightloom status` and `nightloom why`: what the service is doing, and why not more."""

import click

from daemon.cli import text
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration

STATUS_LINES = (
    ("state", "state", text.value),
    ("base", "base", text.value),
    ("adapter", "adapter", text.short),
    ("documents", "documents", text.count),
    ("pending_documents", "not yet learned", text.count),
    ("engine", "engine", text.value),
    ("resident_bytes", "memory in use", text.size),
)
MARKS = {True: "✓", False: "✗", None: "?"}


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Show what the service is doing: its state, base, adapter and documents."""
    with administration() as service:
        show(service.status(), as_json, _status_text)


@click.command()
@json_option
def why(as_json: bool) -> None:
    """Show why it would or would not work right now, condition by condition."""
    with administration() as service:
        show(service.why(), as_json, _why_text)


def _status_text(answer: Json) -> str:
    shown = text.pairs((label, show_as(answer.get(key))) for key, label, show_as in STATUS_LINES)
    idle = answer.get("adapter_of_another_base")
    if idle is None:
        return shown
    return (
        f"{shown}\n\nAdapter {text.short(idle)} belongs to another base than the one in use, so "
        "the base answers alone until a night has made one for it."
    )


def _why_text(answer: Json) -> str:
    verdict = "A night could work now." if answer["would_work"] else "A night would not work now."
    rows = [
        (
            MARKS[condition["holds"]],
            text.value(condition["name"]),
            text.value(condition.get("value")),
            text.value(condition.get("threshold")),
            text.moment(condition.get("since")),
            text.value(condition.get("reason")),
        )
        for condition in answer["conditions"]
    ]
    headings = ("", "condition", "is", "needs", "since", "reason")
    return verdict + ("\n\n" + text.table(headings, rows) if rows else "")
