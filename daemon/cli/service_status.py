"""What `nightloom service status` shows: its state, and what trying each directive gave."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from daemon.cli import text
from daemon.cli.output import Json
from daemon.cli.reaching import administration
from daemon.installing.systemd_units import SERVICE
from ipc.errors import IpcError

if TYPE_CHECKING:
    from daemon.installing.launchd_agent import LaunchdInstallation
    from daemon.installing.systemd_installation import SystemdInstallation

MARKS = {True: "✓", False: "✗", None: "·"}
UNASKED: Json = {"running": False, "confinement": None, "engine_network_denied": None}
ENGINE = {
    True: "opening a socket was refused",
    False: "opening a socket worked",
    None: "not running; it tries when it starts",
}


def gathered(found: "SystemdInstallation | LaunchdInstallation") -> Json:
    """From the manager, as far as there is one, and from the service, if it runs and answers."""
    units = _units(found)
    return {
        "problem": found.problem(),
        "installed": found.installed(),
        "units": units,
        **(UNASKED if would_start(units) else from_service()),
    }


def would_start(units: Json) -> bool:
    """A question would start the service, or wait for one that does not start: looking must not."""
    active = {name: unit["active"] == "active" for name, unit in units.items()}
    return any(active.values()) and not active.get(SERVICE, True)


def from_service() -> Json:
    """What the running service tried: `confinement` is None where none answers."""
    try:
        with administration() as asked:
            told = asked.status()
    except IpcError:
        return UNASKED
    return {
        "running": True,
        "confinement": told.get("confinement"),
        "engine_network_denied": told.get("network_denied"),
    }


def confinement_text(answer: Json) -> str:
    """One line for each directive; where none was asked for, that."""
    if not answer["running"]:
        return "No service answers, so nothing was tried."
    asked = answer["confinement"] or []
    if not asked:
        return (
            "The service runs in the foreground: no unit asked for anything to be forbidden. The "
            "engine forbids itself the network all the same."
        )
    rows = [
        (MARKS[one["holds"]], text.value(one["name"]), text.value(one["value"])) for one in asked
    ]
    denied = answer["engine_network_denied"]
    rows.append((MARKS[denied], "the engine's network", ENGINE[denied]))
    return text.table(("", "asked for", "tried"), rows)


def status_text(answer: Json) -> str:
    return "\n\n".join([_state_text(answer), confinement_text(answer)])


def _state_text(answer: Json) -> str:
    if answer["problem"] is not None:
        return (
            f"There can be no installed service: {answer['problem']}. "
            "`nightloom run` serves in the foreground."
        )
    if not answer["installed"]:
        return "No service is installed; `nightloom service install` does that."
    rows = [
        (
            text.value(name),
            text.value(unit["active"] or "unknown"),
            "with the session" if unit["enabled"] else "not by itself",
            text.value(unit["status"] or (unit["result"] if unit["active"] == "failed" else "")),
        )
        for name, unit in answer["units"].items()
    ]
    shown = text.table(("unit", "is", "starts", "says"), rows)
    if answer["lingers"] is False:
        shown += (
            "\n\nIt ends when you log out; `loginctl enable-linger` lets it work on after that."
        )
    return shown + "\n\nIts log: `journalctl --user --unit nightloom`."


def _units(found: "SystemdInstallation | LaunchdInstallation") -> Json:
    from daemon.installing.errors import ManagerRefused
    from daemon.installing.launchd_agent import LABEL, LaunchdInstallation

    if found.problem() is not None or not found.installed():
        return {}
    if isinstance(found, LaunchdInstallation):
        agent = found.state()
        active = "active" if agent.running else "inactive"
        return {LABEL: {"active": active, "enabled": True, "result": "", "status": ""}}
    try:
        return {name: asdict(state) for name, state in found.state().items()}
    except ManagerRefused:
        return {}
