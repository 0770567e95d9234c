"""`nightloom adapters ...`: what the nights made, and which of it answers."""

import click

from daemon.cli import text
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration

OF_ANOTHER_BASE = (
    "An adapter of another base answers only while `engine.base` in the configuration names that "
    "base."
)


@click.group()
def adapters() -> None:
    """The adapters on the shelf: list them, choose one, go back, take one along."""


@adapters.command("list")
@json_option
def list_adapters(as_json: bool) -> None:
    """List the adapters, with the one that answers as `personal` marked current."""
    with administration() as service:
        show(service.adapters(), as_json, _adapters_text)


@adapters.command()
@click.argument("adapter", metavar="A")
@json_option
def use(adapter: str, as_json: bool) -> None:
    """Let adapter A answer as `personal`; A is a digest or the first characters of one."""
    with administration() as service:
        show(service.use_adapter(adapter), as_json, _now_text)


@adapters.command()
@json_option
def rollback(as_json: bool) -> None:
    """Go back to the adapter that the current one was trained from."""
    with administration() as service:
        show(service.rollback(), as_json, _now_text)


def _adapters_text(answer: list[Json]) -> str:
    if not answer:
        return "No adapters yet; the first night makes one (`nightloom night run --now`)."
    rows = [
        (
            text.short(adapter["sha256"]),
            _status(adapter),
            text.moment(adapter["trained_at"]),
            text.count(adapter["documents"]),
            text.short(adapter["parent"]),
            text.short(adapter["base"]),
        )
        for adapter in answer
    ]
    headings = ("adapter", "status", "trained", "documents", "parent", "base")
    shown = text.table(headings, rows, right="   r")
    return shown if all(map(_can_answer, answer)) else f"{shown}\n\n{OF_ANOTHER_BASE}"


def _status(adapter: Json) -> str:
    status = text.value(adapter["status"])
    if adapter.get("pinned") and status != "current":
        status = f"{status}, pinned"
    return status if _can_answer(adapter) else f"{status}, of another base"


def _can_answer(adapter: Json) -> bool:
    return bool(adapter.get("of_base_in_use", True))


def _now_text(answer: Json) -> str:
    digest = answer.get("sha256") or answer.get("adapter")
    if digest is None or not _can_answer(answer):
        return "The base answers alone now."
    return f"Adapter {text.short(digest)} answers as 'personal' now."
