"""The first line of `status`: what goes on, what it waits for, the last night. Pure."""

from daemon.cli import text
from daemon.cli.output import Json

AT_WORK = ("preparing", "training", "judging", "publishing")


def headline(status: Json) -> str:
    """One line, of what the service answered."""
    return " ".join(filter(None, (_now(status), _last_night(status.get("last_night")))))


def _now(status: Json) -> str:
    state, first = text.value(status.get("state")), status.get("waits_for")
    if state == "locked":
        return "Locked: `nightloom unlock` opens the vault."
    if state in AT_WORK:
        return f"A night works: {state}."
    subject = "A night is held" if state == "yielding" else "No night works now"
    if first is None:
        return f"{subject}." if state == "yielding" else "Nothing is in the way of a night."
    return f"{subject}: {text.value(first['name'])} is {text.value(first['value'])}."


def _last_night(night: Json | None) -> str:
    if night is None:
        return ""
    day = text.moment(night["started_at"]).partition(" ")[0]
    match night["state"]:
        case "done":
            gain = text.change(night["held_out_loss_before"], night["held_out_loss_after"])
            tokens = text.count(night["tokens"])
            return f"The last one ({day}) learned from {tokens} tokens: held-out loss {gain}."
        case "refused":
            return f"The last one ({day}) was refused, so nothing changed."
        case "failed":
            return f"The last one ({day}) failed; `nightloom night log` says why."
        case "waiting":
            return ""
        case _:
            return f"The one of {day} has not ended yet."
