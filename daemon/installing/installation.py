"""nightloom as a service of this system, whichever manager it has: installed, and taken away.

What is written besides: completions for the shells and the manual page, in the user's own data
folder, unless a package has brought them.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from daemon.config import Config
from daemon.errors import DaemonError
from daemon.home import Home
from daemon.installing.completions import IN_HOME, completions, data_folder
from daemon.installing.launchd_agent import LaunchdInstallation
from daemon.installing.manual import PAGE, manual
from daemon.installing.night_room import memory_high_bytes
from daemon.installing.own_files import remove, write
from daemon.installing.systemd_installation import SystemdInstallation
from trainer.errors import BaseError


def this_command() -> Path:
    """The `nightloom` of the environment that this process runs in."""
    return Path(sys.executable).parent / "nightloom"


def installation(
    home: Home, environ: Mapping[str, str]
) -> SystemdInstallation | LaunchdInstallation:
    """Of this user."""
    kind = LaunchdInstallation if sys.platform == "darwin" else SystemdInstallation
    return kind(command=this_command(), home=home, environ=environ)


def install(
    found: SystemdInstallation | LaunchdInstallation, config: Config, *, namespaces: bool
) -> tuple[list[Path], int | None]:
    """Paths of what was written, and the bytes of MemoryHigh, None where nothing is known of them.

    Raises `NotOurs`, `ManagerRefused`, `OSError`.
    """
    if isinstance(found, LaunchdInstallation):
        return found.install(), None
    try:
        room = memory_high_bytes(found.home, config)
    except (DaemonError, BaseError):  # a base that cannot be used; `status` says so
        room = None
    return found.install(memory_high_bytes=room, namespaces=namespaces), room


def help_files(command: click.Group, *, version: str) -> dict[str, str]:
    """Completions and the manual page, by their paths below a data folder."""
    return completions(command) | {PAGE: manual(command, version=version)}


def install_help(
    found: SystemdInstallation | LaunchdInstallation, command: click.Group, *, version: str
) -> list[Path]:
    """Raises `NotOurs`, `OSError`."""
    if found.is_packaged():
        return []
    return write(data_folder(found.environ), help_files(command, version=version))


def remove_help(environ: Mapping[str, str]) -> list[Path]:
    return remove(data_folder(environ) / name for name in (*IN_HOME.values(), PAGE))
