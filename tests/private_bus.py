"""A real dbus-daemon of the tests' own, and python-dbusmock's services on it. The machine's own
buses are never touched.

    def test_something(private_bus: PrivateBus) -> None:
        upower = private_bus.mock("upower", OnBattery=True)
        upower.call("SetupDisplayDevice", "...", ...)          # of the mock
        upower.emit(interface, "Changed", "b", True)
        upower.update(interface, {"OnBattery": ("b", False)})  # with PropertiesChanged

System and session bus are the same daemon; `environ` leads a process to it. `private_bus` is one
daemon for each test; its mocks end with the test. Where the programs are missing, tests are skipped
and say so.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.bus_config import BUS_CONFIG

PYTHON = "/usr/bin/python3"  # where Debian's python3-dbusmock is
MOCK = "org.freedesktop.DBus.Mock"
_LONGEST_SECONDS = 60  # of a very busy machine


@cache
def missing_programs() -> str | None:
    """Why there can be no private bus with mocks here, for a skip."""
    if sys.platform != "linux":
        return "D-Bus is a matter of Linux"
    if shutil.which("dbus-daemon") is None:
        return "dbus-daemon not installed"
    found = subprocess.run([PYTHON, "-c", "import dbusmock"], capture_output=True, check=False)
    return None if found.returncode == 0 else "python3-dbusmock not installed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mock:
    """One of dbusmock's processes; what it has is changed while it runs."""

    bus: "PrivateBus"
    name: str
    path: str
    interface: str
    process: "subprocess.Popen[bytes]" = field(repr=False)

    def call(
        self, member: str, signature: str = "", *body: Any, interface: str = MOCK, path: str = ""
    ) -> tuple[Any, ...]:
        """One of the mock's own methods, such as `AddSession`, or of what it plays."""
        return self.bus.call(self.name, path or self.path, interface, member, signature, *body)

    def add_object(
        self,
        path: str,
        interface: str,
        properties: dict[str, tuple[str, Any]],
        methods: list[tuple[str, str, str, str]] | None = None,
    ) -> None:
        """Methods: name, signature in, signature out, Python that sets `ret`."""
        self.call("AddObject", "ssa{sv}a(ssss)", path, interface, properties, methods or [])

    def add_method(
        self, member: str, takes: str, gives: str, code: str, *, interface: str = "", path: str = ""
    ) -> None:
        self.call("AddMethod", "sssss", interface, member, takes, gives, code, path=path)

    def add_properties(
        self, interface: str, properties: dict[str, tuple[str, Any]], *, path: str = ""
    ) -> None:
        """Such as a template lacks."""
        self.call("AddProperties", "sa{sv}", interface, properties, path=path)

    def update(
        self, interface: str, properties: dict[str, tuple[str, Any]], *, path: str = ""
    ) -> None:
        """Change properties, and say so."""
        self.call("UpdateProperties", "sa{sv}", interface, properties, path=path)

    def emit(
        self, interface: str, member: str, signature: str = "", *body: Any, path: str = ""
    ) -> None:
        """Send a signal; `body` is plain for the types b, i, u, t, s and o."""
        kinds = list(signature)
        values = [(kind, value) for kind, value in zip(kinds, body, strict=True)]
        self.call("EmitSignal", "sssav", interface, member, signature, values, path=path)

    def calls(self, member: str, *, path: str = "") -> list[list[Any]]:
        """What this method was called with until now."""
        (calls,) = self.call("GetMethodCalls", "s", member, path=path)
        return [[value for _, value in arguments] for _, arguments in calls]

    def close(self) -> None:
        """As when the program that is played ends."""
        self.process.kill()
        self.process.wait()


@dataclass(slots=True, kw_only=True)
class PrivateBus:
    folder: Path
    _daemon: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    _mocks: list[Mock] = field(default_factory=list, repr=False)

    @property
    def socket(self) -> Path:
        return self.folder / "bus"

    @property
    def address(self) -> str:
        return f"unix:path={self.socket}"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "DBUS_SYSTEM_BUS_ADDRESS": self.address,
            "DBUS_SESSION_BUS_ADDRESS": self.address,
        }

    def start(self) -> None:
        config = self.folder / "bus.conf"
        config.write_text(BUS_CONFIG.format(socket=self.socket))
        self._daemon = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._daemon.stdout is not None
        assert self._daemon.stdout.readline(), "the bus did not start"

    def stop(self, *, leave_socket: bool = False) -> None:
        """The daemon dies, and its mocks with it."""
        for mock in self._mocks:
            mock.close()
        self._mocks.clear()
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait()
            assert self._daemon.stdout is not None
            self._daemon.stdout.close()
            self._daemon = None
        if not leave_socket:
            self.socket.unlink(missing_ok=True)

    def mock(self, template: str, **parameters: Any) -> Mock:
        """One of dbusmock's templates: `upower`, `logind`, `notification_daemon`, ..."""
        code = (
            "import dbusmock.mockobject as m;"
            f"t = m.load_module({template!r});"
            "print(t.BUS_NAME, t.MAIN_OBJ, getattr(t, 'MAIN_IFACE', m.OBJECT_MANAGER_IFACE))"
        )
        facts = _FACTS.get(template)
        if facts is None:
            said = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True)
            name, path, interface = said.stdout.split()
            facts = _FACTS[template] = (name, path, interface)
        return self._mock(["--template", template, "--parameters", json.dumps(parameters)], *facts)

    def mock_of(self, name: str, path: str, interface: str) -> Mock:
        """A service that no template plays; give it methods and objects."""
        return self._mock([name, path, interface], name, path, interface)

    def call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        *body: Any,
    ) -> tuple[Any, ...]:
        """Ask anybody on it; variants are `(signature, value)`."""
        from jeepney import DBusAddress, new_method_call
        from jeepney.io.blocking import open_dbus_connection
        from jeepney.wrappers import unwrap_msg

        asked = new_method_call(
            DBusAddress(path, destination, interface), member, signature or None, body
        )
        with closing(open_dbus_connection(self.address)) as connection:
            answer = connection.send_and_get_reply(asked, timeout=_LONGEST_SECONDS)
            return tuple(unwrap_msg(answer) or ())

    def _mock(self, arguments: list[str], name: str, path: str, interface: str) -> Mock:
        process = subprocess.Popen(
            [PYTHON, "-m", "dbusmock", *arguments],
            env=os.environ | self.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        mock = Mock(bus=self, name=name, path=path, interface=interface, process=process)
        self._mocks.append(mock)
        deadline = time.monotonic() + _LONGEST_SECONDS
        while not self._ready(mock):
            assert process.poll() is None, "the mock did not start"
            assert time.monotonic() < deadline, "the mock did not start in time"
            time.sleep(0.005)
        return mock

    def _ready(self, mock: Mock) -> bool:
        """It has its name, its process is ours, and its template is loaded."""
        from jeepney.wrappers import DBusErrorResponse

        daemon = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
        try:
            (pid,) = self.call(*daemon, "GetConnectionUnixProcessID", "s", mock.name)
            if pid != mock.process.pid:
                return False
            mock.call("GetCalls")
        except DBusErrorResponse:
            return False
        return True


_FACTS: dict[str, tuple[str, str, str]] = {}  # of templates: name, path, interface


@contextmanager
def bus_of_our_own() -> Iterator[PrivateBus]:
    with tempfile.TemporaryDirectory(prefix="nl-bus-") as short:  # a socket's path is short
        bus = PrivateBus(folder=Path(short))
        bus.start()
        try:
            yield bus
        finally:
            bus.stop()


@pytest.fixture
def private_bus() -> Iterator[PrivateBus]:
    if reason := missing_programs():
        pytest.skip(reason)
    with bus_of_our_own() as bus:
        yield bus
