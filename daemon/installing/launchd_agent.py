"""nightloom as a launchd agent of one user on macOS. Tested on recorded output, on no Mac yet.

The agent lives in the user's session (`Aqua`, gui/UID). launchd binds both sockets and starts the
service at the first question, at login, and again when it ends otherwise than by `bootout`.
"""

import contextlib
import os
import plistlib
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.home import VARIABLE, Home
from daemon.installing.errors import ManagerRefused
from daemon.installing.own_files import SIGN, is_ours, remove, write

LABEL = "app.nightloom.service"
LAUNCHCTL = Path("/bin/launchctl")
SECONDS = 60.0
AGAIN_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)  # 120: as long as an agent may take to end
SOCKET_MODE = 0o600
UMASK = 0o077
THROTTLE_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """What `launchctl print` says of the agent."""

    running: bool
    pid: int | None = None
    last_exit_code: int | None = None


def property_list(
    command: Path,
    *,
    api_socket: Path,
    admin_socket: Path,
    log: Path,
    environment: Mapping[str, str],
) -> dict[str, Any]:
    """See launchd.plist(5)."""
    return {
        "Label": LABEL,
        "ProgramArguments": [str(command), "run"],
        "LimitLoadToSessionType": "Aqua",
        "ProcessType": "Background",
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": THROTTLE_SECONDS,
        "ExitTimeOut": 120,  # a night that works writes its checkpoint first
        "Umask": UMASK,
        "HardResourceLimits": {"Core": 0},
        "SoftResourceLimits": {"Core": 0},
        "EnvironmentVariables": dict(environment),
        "StandardErrorPath": str(log),
        "Sockets": {
            name: {
                "SockPathName": str(path),
                "SockPathMode": SOCKET_MODE,
                "SockType": "stream",
                "SockFamily": "Unix",
            }
            for name, path in (("api", api_socket), ("admin", admin_socket))
        },
    }


def as_text(agent: Mapping[str, Any]) -> str:
    """The file, with the word by which it is known to be ours."""
    made = plistlib.dumps(dict(agent)).decode("utf-8")
    first, _, rest = made.partition("\n")
    return f"{first}\n<!-- {SIGN}; `nightloom service install` makes it again. -->\n{rest}"


def parse_print(text: str) -> AgentState:
    """The answer of `launchctl print gui/UID/LABEL`; only lines of the agent itself count."""
    told = dict(re.findall(r"^\t([a-z ]+) = (.+)$", text, re.MULTILINE))
    code = re.match(r"-?\d+", told.get("last exit code", ""))
    pid = told.get("pid", "")
    return AgentState(
        running=told.get("state") == "running",
        pid=int(pid) if pid.isdecimal() else None,
        last_exit_code=int(code[0]) if code else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchdInstallation:
    """Where one user's agent is, and how it comes there."""

    command: Path
    home: Home
    environ: Mapping[str, str]
    launchctl: Path = LAUNCHCTL
    wait: Callable[[float], None] = time.sleep

    @property
    def file(self) -> Path:
        return Path(self.environ["HOME"]) / "Library" / "LaunchAgents" / f"{LABEL}.plist"

    def problem(self) -> str | None:
        return None if self.launchctl.exists() else "launchd is not here"

    def text(self) -> str:
        at = self.home
        return as_text(
            property_list(
                self.command,
                api_socket=at.api_socket,
                admin_socket=at.admin_socket,
                log=at.runtime / "service.log",
                environment={} if at.root is None else {VARIABLE: str(at.root)},
            )
        )

    def install(self) -> list[Path]:
        """Write and start.

        Raises:
            NotOurs: a file of somebody else is in the way.
            ManagerRefused: it was written, and does not run.
        """
        self.home.create_folders()  # launchd writes the log there before the service begins
        written = write(self.file.parent, {self.file.name: self.text()})
        self._ask("bootout", self._target, may_fail=True)
        self._bootstrap()
        return written

    def uninstall(self) -> list[Path]:
        self._ask("bootout", self._target, may_fail=True)
        return remove([self.file])

    def is_packaged(self) -> bool:
        """No package brings an agent."""
        return False

    def installed(self) -> bool:
        return is_ours(self.file)

    def serves_another_home(self) -> bool:
        """There is one for a user."""
        if not self.installed():
            return False
        told = plistlib.loads(self.file.read_bytes())["EnvironmentVariables"].get(VARIABLE)
        return bool(told != (None if self.home.root is None else str(self.home.root)))

    def runs(self) -> bool:
        """Whether the service that runs is the agent's."""
        return self.state().running

    def state(self) -> AgentState:
        return parse_print(self._ask("print", self._target, may_fail=True))

    def _bootstrap(self) -> None:
        """`bootout` returns before the old one is gone, a night that saves takes its time; until
        then launchd refuses the new one."""
        for seconds in AGAIN_SECONDS:
            with contextlib.suppress(ManagerRefused):
                self._ask("bootstrap", self._domain, str(self.file))
                return
            self.wait(seconds)
        self._ask("bootstrap", self._domain, str(self.file))

    @property
    def _domain(self) -> str:
        return f"gui/{os.getuid()}"

    @property
    def _target(self) -> str:
        return f"{self._domain}/{LABEL}"

    def _ask(self, *words: str, may_fail: bool = False) -> str:
        try:
            done = subprocess.run(
                [self.launchctl, *words], capture_output=True, text=True, errors="replace",
                timeout=SECONDS, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            raise ManagerRefused from None
        if done.returncode != 0 and not may_fail:
            raise ManagerRefused
        return done.stdout
