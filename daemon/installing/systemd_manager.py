"""The user's own systemd, asked through `systemctl --user`.

Knows nothing of what the units say. In containers and on systems without systemd there is none:
`problem` says so before anything is written.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.installing.errors import ManagerRefused

SECONDS = 150.0  # starting waits until the service is ready
SHOWN = ("LoadState", "ActiveState", "SubState", "UnitFileState", "Result", "MainPID", "StatusText")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitState:
    """What systemd knows of a unit; words of its own, empty where it says nothing."""

    loaded: bool
    active: str  # "active", "inactive", "failed", "activating", ...
    enabled: bool
    result: str = ""  # "success", "exit-code", "watchdog", ...
    pid: int | None = None
    status: str = ""  # the service's own line


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemdManager:
    """Of the user whose environment this is."""

    environ: Mapping[str, str]

    def problem(self) -> str | None:
        """Why there is none to ask, as half a sentence; None if there is."""
        if shutil.which("systemctl") is None:
            return "systemd is not installed here"
        runtime = self._runtime()
        if runtime is None or not (runtime / "systemd" / "private").exists():
            return "systemd runs no services for this user here, as in most containers"
        return None

    def reload(self) -> None:
        """Read the units again. Raises ManagerRefused."""
        self._ask("daemon-reload")

    def enable(self, units: Sequence[str]) -> None:
        """Start them with the session from now on. Raises ManagerRefused."""
        self._ask("enable", "--quiet", *units)

    def restart(self, units: Sequence[str]) -> None:
        """Start them, or again, and wait until they say that they are ready."""
        self._ask("reset-failed", *units, may_fail=True)
        self._ask("restart", *units)

    def stop(self, units: Sequence[str]) -> None:
        self._ask("stop", *units, may_fail=True)

    def disable(self, units: Sequence[str]) -> None:
        """That they are not there is no error."""
        self._ask("disable", "--quiet", *units, may_fail=True)

    def looks_in(self, folder: Path) -> bool:
        """Whether units are looked for there, which need not know a shell's variables; also where
        it does not say.
        """
        try:
            told = self._ask("show", "--property", "UnitPath")
        except ManagerRefused:
            return True
        folders = told.partition("=")[2].split()
        return not folders or str(folder) in folders

    def state(self, unit: str) -> UnitState:
        """Raises ManagerRefused."""
        return parse_state(self._ask("show", "--property", ",".join(SHOWN), unit))

    def _ask(self, *words: str, may_fail: bool = False) -> str:
        try:
            done = subprocess.run(
                [shutil.which("systemctl") or "systemctl", "--user", "--no-pager", *words],
                env=self._environment(),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            raise ManagerRefused from None
        if done.returncode != 0 and not may_fail:
            raise ManagerRefused
        return done.stdout

    def _environment(self) -> dict[str, str]:
        runtime = self._runtime()
        return dict(self.environ) | ({} if runtime is None else {"XDG_RUNTIME_DIR": str(runtime)})

    def _runtime(self) -> Path | None:
        """As logind makes it, where `su` or `sudo` left the variable out."""
        named = self.environ.get("XDG_RUNTIME_DIR", "")
        usual = Path(f"/run/user/{os.geteuid()}")
        return Path(named) if named else usual if usual.is_dir() else None


def parse_state(text: str) -> UnitState:
    """The answer of `systemctl show --property`: a line `Name=value` for each."""
    told = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    pid = told.get("MainPID", "")
    return UnitState(
        loaded=told.get("LoadState") == "loaded",
        active=told.get("ActiveState", ""),
        enabled=told.get("UnitFileState") in ("enabled", "enabled-runtime", "linked", "static"),
        result=told.get("Result", ""),
        pid=int(pid) if pid.isdecimal() and pid != "0" else None,
        status=told.get("StatusText", ""),
    )
