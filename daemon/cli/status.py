"""`nightloom status` and `nightloom why`: what the service is doing, and why not more."""

import click

from daemon.cli import text
from daemon.cli.headline import headline
from daemon.cli.limit_lines import limit_sentences
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration
from daemon.cli.scan_progress import scan_sentences

OUT_OF_SWAP = {
    "process": "all memory of the service",
    "group": "all memory of the service",
    "keys": "the pages with the keys",
    "nothing": "nothing",
}
STATUS_LINES = (
    ("state", "state", text.value),
    ("base", "base", text.value),
    ("adapter", "adapter", text.short),
    ("documents", "documents", text.count),
    ("pending_documents", "not yet learned", text.count),
    ("engine", "engine", text.value),
    ("resident_bytes", "memory in use", text.size),
    ("keys_out_of_swap", "out of swap", lambda kept: text.value(OUT_OF_SWAP.get(_extent(kept)))),
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


def _extent(kept: Json | None) -> str:
    return str((kept or {}).get("extent"))


def _status_text(answer: Json) -> str:
    shown = headline(answer) + "\n\n"
    shown += text.pairs((label, show_as(answer.get(key))) for key, label, show_as in STATUS_LINES)
    if locked := answer.get("locked"):
        shown += "\n\n" + _locked_text(locked)
    for warning in answer.get("warnings", ()):
        told = (warning["name"], warning["value"], warning["advice"])
        shown += "\n\nWarning: {}: {}. {}".format(*map(text.value, told)).rstrip()
    shown = "\n\n".join([shown, *scan_sentences(answer), *limit_sentences(answer)])
    idle = answer.get("adapter_of_another_base")
    if idle is None:
        return shown
    return (
        f"{shown}\n\nAdapter {text.short(idle)} belongs to another base than the one in use, so "
        "the base answers alone until a night has made one for it."
    )


def _locked_text(locked: Json) -> str:
    """Why the vault is locked, slot by slot, and what opens it."""
    slots = [
        (text.value(slot["kind"]), text.value(slot.get("problem") or "not tried"))
        for slot in locked["slots"]
    ]
    if locked["asked"]:
        said = "The vault was locked on purpose, and stays so until `nightloom unlock`."
    elif locked["tries_again"]:
        said = "The vault is locked; its slots are tried again. `nightloom unlock` opens it now."
    else:
        said = "The vault is locked; `nightloom unlock` opens it."
    return said + ("\n\n" + text.table(("slot", "why it did not open"), slots) if slots else "")


def _why_text(answer: Json) -> str:
    rows = [
        (
            MARKS[condition["holds"]],
            text.value(condition["name"]),
            text.value(condition.get("value")),
            text.value(condition.get("threshold")),
            text.moment(condition.get("since")),
            text.value(condition.get("advice") or condition.get("reason")),
        )
        for condition in answer["conditions"]
    ]
    headings = ("", "condition", "is", "needs", "since", "what would change it")
    parts = [
        _verdict(answer),
        *([text.table(headings, rows)] if rows else []),
        *_what_ends_nights(),
    ]
    return "\n\n".join(parts)


def _verdict(answer: Json) -> str:
    """With what has to change first."""
    if answer["would_work"]:
        return "A night could work now."
    first = next((c for c in answer["conditions"] if c["name"] == answer.get("first")), None)
    if first is None:
        return "A night would not work now."
    advice = text.value(first.get("advice") or first.get("reason"))
    return f"A night would not work now. First: {text.value(first['name'])}. {advice}"


def _what_ends_nights() -> list[str]:
    """Of this machine's settings: a closed lid, a logout; the service need not be asked."""
    from daemon.conditions.host_facts import night_findings, read_host_facts

    found = [one for one in night_findings(read_host_facts()) if one.advice]
    return [f"{text.value(one.name)}: {text.value(one.value)}. {one.advice}" for one in found]
