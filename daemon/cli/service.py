"""`nightloom service`: the service, installed with the system's own manager, and taken away."""

import os
import sys
from typing import TYPE_CHECKING

import click

from daemon.cli import text
from daemon.cli.asking import confirm
from daemon.cli.errors import (
    FileInTheWay,
    HomeNotKnown,
    NoServiceManager,
    ServiceInForeground,
    ServiceNotStarted,
    ServiceNotStopped,
)
from daemon.cli.output import Json, json_option, show
from daemon.cli.reaching import administration, home
from daemon.cli.service_status import gathered, status_text
from ipc.errors import IpcError
from storage.errors import VaultMissing

if TYPE_CHECKING:
    from daemon.home import Home
    from daemon.installing.launchd_agent import LaunchdInstallation
    from daemon.installing.systemd_installation import SystemdInstallation

    Installed = SystemdInstallation | LaunchdInstallation


@click.group()
def service() -> None:
    """Install the service with the system, take it away, look at it."""


@service.command()
@click.option(
    "--namespaces/--no-namespaces",
    default=False,
    help="Ask systemd for what needs user namespaces too; not every system has them.",
)
@json_option
def install(namespaces: bool, as_json: bool) -> None:
    """Install and start the service for this user, with completions and the manual page.

    It starts with your session from now on. Installing again brings everything up to date.
    """
    show(installed(namespaces=namespaces), as_json, _installed_text)


def installed(*, namespaces: bool = False) -> Json:
    """Install, and say what was done; `nightloom setup` does it too.

    A service in the foreground is not pushed aside: its sockets are where the unit's would be.

    Raises `NoServiceManager`, `VaultMissing`, `ServiceInForeground`, `FileInTheWay`,
    `ServiceNotStarted`, `ConfigError`.
    """
    from daemon.cli.root import nightloom, version
    from daemon.conditions.host_facts import lingers
    from daemon.config import load_config
    from daemon.installing import installation as installing
    from daemon.installing.errors import ManagerRefused, NotOurs

    at = home()
    found = _with_manager(at)
    if not at.vault_exists():
        raise VaultMissing
    config = load_config(at.config_file)
    if _serving() and not found.runs():
        raise ServiceInForeground
    try:
        written, room = installing.install(found, config, namespaces=namespaces)
        help_files = installing.install_help(found, nightloom, version=version())
    except NotOurs as error:
        raise FileInTheWay(error.path) from None
    except ManagerRefused:
        raise ServiceNotStarted from None
    return {
        "manager": _manager(),
        "files": [str(path) for path in (*written, *help_files)],
        "memory_high_bytes": room,
        "lingers": lingers() if _manager() == "systemd" else None,
        "state": _state(),
    }


@service.command()
@click.option("--purge", is_flag=True, help="Remove vault, bases, configuration and all keys too.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@json_option
def uninstall(purge: bool, yes: bool, as_json: bool) -> None:
    """Stop the service and take it away; the vault stays, unless --purge is given."""
    from daemon.installing import installation as installing
    from daemon.installing import purging
    from daemon.installing.errors import ManagerRefused, NotOurs

    at = home()
    if purge:
        try:
            purging.check_ours(at)
        except NotOurs:
            raise HomeNotKnown from None
        if not yes:
            confirm(
                f"Remove everything in {_folders(at)}: all text, all adapters, all keys? "
                "Nothing but a backup brings it back."
            )
    found = installing.installation(at, os.environ)
    gone = []
    try:
        if not found.serves_another_home():
            gone = [*found.uninstall(), *installing.remove_help(os.environ)]
    except ManagerRefused:
        raise ServiceNotStopped from None
    if purge and (_serving() or purging.in_use(at)):
        raise ServiceInForeground
    purged = purging.purge(at) if purge else []
    answer = {
        "files": [str(path) for path in gone],
        "vault": str(at.vault) if at.vault_exists() else None,
        "purged": [str(path) for path in purged],
    }
    show(answer, as_json, _uninstalled_text)


@service.command()
@json_option
def status(as_json: bool) -> None:
    """Show whether it is installed and runs, and whether what the unit forbids is forbidden."""
    from daemon.conditions.host_facts import lingers
    from daemon.installing.installation import installation

    found = installation(home(), os.environ)
    answer = {
        **gathered(found),
        "manager": _manager(),
        "lingers": lingers() if _manager() == "systemd" else None,
    }
    show(answer, as_json, status_text)


def _with_manager(at: "Home") -> "Installed":
    from daemon.installing.installation import installation

    found = installation(at, os.environ)
    problem = found.problem()
    if problem is not None:
        raise NoServiceManager(problem)
    return found


def _manager() -> str:
    return "launchd" if sys.platform == "darwin" else "systemd"


def _serving() -> bool:
    return _state() is not None


def _state() -> str | None:
    """Of the service that answers; None: none does."""
    try:
        with administration() as asked:
            return str(asked.status()["state"])
    except IpcError:
        return None


def _folders(at: "Home") -> str:
    return " and ".join(text.printable(str(folder)) for folder in at.own_folders[:2])


def _installed_text(answer: Json) -> str:
    lines = ["The service is installed and runs; `nightloom service status` shows how."]
    if answer["state"] == "locked":
        lines.append("The vault is locked; `nightloom unlock` opens it.")
    if answer["memory_high_bytes"] is not None:
        lines.append(f"Its memory is held to {text.size(answer['memory_high_bytes'])}.")
    if answer["lingers"] is False:
        lines.append(
            "It ends when you log out; `loginctl enable-linger` lets it work on after that."
        )
    lines += ["Written:", *(f"  {text.printable(path)}" for path in answer["files"])]
    return "\n".join(lines)


def _uninstalled_text(answer: Json) -> str:
    lines = [
        "The service is no longer installed." if answer["files"] else "No service was installed."
    ]
    if answer["purged"]:
        lines += ["Removed for good:", *(f"  {text.printable(path)}" for path in answer["purged"])]
    elif answer["vault"] is not None:
        lines.append(
            f"The vault stays in {text.printable(answer['vault'])}; `nightloom run` serves it in "
            "the foreground, and `nightloom service uninstall --purge` removes it."
        )
    return "\n".join(lines)
