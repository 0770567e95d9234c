"""nightloom as a systemd service of one user: installed, taken away, and looked at.

The units lie in the user's own folder, or come with a package for the same command; then only the
drop-ins are the user's. Installing again replaces what was installed before.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from daemon.home import VARIABLE, Home
from daemon.installing.errors import ManagerRefused
from daemon.installing.own_files import is_ours, remove, write
from daemon.installing.systemd_manager import SystemdManager, UnitState
from daemon.installing.systemd_units import (
    SERVICE,
    SOCKETS,
    UNITS,
    Placed,
    Units,
    drop_ins,
    quoted,
    units,
)

PACKAGED = Path("/usr/lib/systemd/user")
MOVED = ("XDG_DATA_HOME", "XDG_CONFIG_HOME")  # the user's systemd need not know of them


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemdInstallation:
    """Where one user's service is, and how it comes there.

    Args:
        command: the `nightloom` that the unit starts.
        packaged: where a package has put its units.
    """

    command: Path
    home: Home
    environ: Mapping[str, str]
    packaged: Path = PACKAGED

    @property
    def folder(self) -> Path:
        """Where systemd looks for what is the user's own: the usual folder, where a variable that
        only a shell knows names another."""
        usual = Path(self.environ["HOME"]) / ".config"
        named = Path(self.environ.get("XDG_CONFIG_HOME", ""))
        config = named if named.is_absolute() else usual
        folder = config / "systemd" / "user"
        if config == usual or self.manager.looks_in(folder):
            return folder
        return usual / "systemd" / "user"

    @property
    def manager(self) -> SystemdManager:
        return SystemdManager(environ=self.environ)

    def problem(self) -> str | None:
        """Why there cannot be a service here, as half a sentence."""
        return self.manager.problem()

    def files(self, *, memory_high_bytes: int | None, namespaces: bool) -> Units:
        """What is written into `folder`."""
        placed = Placed(
            environment=self._environment(),
            runtime=self._runtime(),
            memory_high_bytes=memory_high_bytes,
            namespaces=namespaces,
            writable=self._writable(),
        )
        return ({} if self.is_packaged() else units(self.command)) | drop_ins(placed)

    def is_packaged(self) -> bool:
        """Whether a package's units start this command."""
        try:
            text = (self.packaged / SERVICE).read_text("utf-8")
        except OSError:
            return False
        return f"ExecStart={quoted(str(self.command))} " in text

    def install(self, *, memory_high_bytes: int | None, namespaces: bool) -> list[Path]:
        """Write, enable and start; the paths of what was written.

        Raises:
            NotOurs: a file of somebody else is in the way; nothing was done.
            ManagerRefused: it was written, and does not run.
            OSError
        """
        wanted = self.files(memory_high_bytes=memory_high_bytes, namespaces=namespaces)
        self.home.create_folders()  # a folder that is missing cannot be made writable
        written = write(self.folder, wanted)
        remove(path for path in self._ours() if path not in written)
        self.manager.reload()
        self.manager.enable(UNITS)
        self.manager.stop(UNITS)  # sockets cannot be changed below a service that has them
        self.manager.restart(SOCKETS)
        self.manager.restart((SERVICE,))
        return written

    def uninstall(self) -> list[Path]:
        """Stop and take away what is ours; the paths of what is gone.

        Raises:
            ManagerRefused: it could not be stopped; nothing was taken away.
            OSError
        """
        reachable = self.problem() is None
        if reachable:
            self.manager.stop((*SOCKETS, SERVICE))
            if self.runs():
                raise ManagerRefused
            self.manager.disable(UNITS)
        gone = remove(self._ours())
        if reachable:
            with contextlib.suppress(ManagerRefused):  # it forgets them later
                self.manager.reload()
        return gone

    def installed(self) -> bool:
        return self.is_packaged() or is_ours(self.folder / SERVICE)

    def serves_another_home(self) -> bool:
        """There is one for a user; a drop-in names its home if that is not the usual one."""
        try:
            told = (self.folder / f"{SERVICE}.d" / "10-home.conf").read_text("utf-8")
        except OSError:
            told = ""
        if self.home.root is None:
            return f'"{VARIABLE}=' in told
        return self.installed() and quoted(f"{VARIABLE}={self.home.root}") not in told

    def runs(self) -> bool:
        """Whether the service that runs is the unit's."""
        try:
            return self.manager.state(SERVICE).active in ("active", "activating", "reloading")
        except ManagerRefused:
            return False

    def state(self) -> dict[str, UnitState]:
        """Raises ManagerRefused."""
        return {name: self.manager.state(name) for name in UNITS}

    def _ours(self) -> list[Path]:
        # made by the manager when it starts them with the session; without it they are left over
        links = [link for name in UNITS for link in self.folder.glob(f"*.wants/{name}")]
        named = [self.folder / name for name in UNITS]
        added = [file for name in UNITS for file in (self.folder / f"{name}.d").glob("*.conf")]
        return [path for path in (*links, *named, *added) if is_ours(path)]

    def _environment(self) -> dict[str, str]:
        if self.home.root is not None:
            return {VARIABLE: str(self.home.root)}
        return {name: self.environ[name] for name in MOVED if self.environ.get(name)}

    def _runtime(self) -> Path | None:
        return None if self.home.root is None else self.home.runtime

    def _writable(self) -> tuple[Path, ...]:
        if self.home.root is not None:
            return (self.home.root,)
        return (self.home.vault.parent, self.home.config_file.parent, self.home.runtime)
