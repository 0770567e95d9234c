"""A real Secret Service for the tests: gnome-keyring on a session bus of its own, in a home of its
own, so that nobody's own keyring is ever touched.

    with secret_service(tmp_path) as session:
        subprocess.run(..., env=os.environ | session.environ)
        session.lock()
        session.unlock()

The fixture `keyring_session` puts the environment in place for the test's own process. Where the
programs are missing, tests are skipped and say so.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.bus_config import BUS_CONFIG

PASSWORD = b"the keyring's own password"
_NEEDED = ("dbus-daemon", "gnome-keyring-daemon")
_LOGIN = "/org/freedesktop/secrets/collection/login"
_INTERNAL = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface"
_LONGEST_SECONDS = 60  # of a very busy machine


def missing_programs() -> str | None:
    """Why there can be no Secret Service here, for a skip."""
    if sys.platform != "linux":
        return "the Secret Service is a matter of Linux"
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    return f"{' and '.join(missing)} not installed" if missing else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretService:
    """A session with a keyring, unlocked at first; `environ` leads a process to it."""

    environ: dict[str, str]
    daemon: "subprocess.Popen[bytes]" = field(repr=False)

    def lock(self) -> None:
        """As a desktop does when its user is away."""
        import secretstorage

        with closing(self._bus()) as bus:
            secretstorage.Collection(bus).lock()
            assert secretstorage.Collection(bus).is_locked()

    def unlock(self) -> None:
        """As logging in does, without a window."""
        import secretstorage
        from secretstorage.util import DBusAddressWrapper, format_secret, open_session

        with closing(self._bus()) as bus:
            master = format_secret(open_session(bus), PASSWORD, "text/plain")
            internal = DBusAddressWrapper("/org/freedesktop/secrets", _INTERNAL, bus)
            internal.call("UnlockWithMasterPassword", "o(oayays)", _LOGIN, master)
            assert not secretstorage.Collection(bus).is_locked()

    def stored(self) -> list[tuple[str, bytes]]:
        """Label and secret of everything in the unlocked keyring."""
        import secretstorage

        with closing(self._bus()) as bus:
            items = secretstorage.Collection(bus).get_all_items()
            return [(item.get_label(), item.get_secret()) for item in items]

    def freeze(self) -> None:
        """It keeps its name on the bus and answers no more."""
        self.daemon.send_signal(signal.SIGSTOP)

    def _bus(self) -> Any:
        from jeepney.io.blocking import open_dbus_connection

        return open_dbus_connection(self.environ["DBUS_SESSION_BUS_ADDRESS"])


@contextmanager
def secret_service(folder: Path) -> Iterator[SecretService]:
    """A bus and a keyring until the block ends; all they keep lies below `folder`."""
    home = folder / "keyring-home"
    home.mkdir(mode=0o700)
    with tempfile.TemporaryDirectory(prefix="nl-bus-") as short:  # a socket's path is short
        runtime = Path(short)
        (runtime / "bus.conf").write_text(BUS_CONFIG.format(socket=runtime / "bus"))
        environ = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": short,
            "XDGBUS_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={runtime / 'bus'}",
        }
        with _running(
            ["dbus-daemon", f"--config-file={runtime / 'bus.conf'}", "--nofork", "--print-address"],
            environ,
        ) as bus:
            assert bus.stdout is not None
            assert bus.stdout.readline(), "the bus did not start"
            with _running(
                [
                    "gnome-keyring-daemon",
                    "--foreground",
                    "--unlock",
                    "--components=secrets",
                    f"--control-directory={runtime / 'keyring'}",
                ],
                environ,
            ) as daemon:
                assert daemon.stdin is not None
                daemon.stdin.write(PASSWORD)
                daemon.stdin.close()
                service = SecretService(environ=environ, daemon=daemon)
                _wait_for(service)
                yield service


def _wait_for(service: SecretService) -> None:
    import secretstorage
    from secretstorage.exceptions import SecretStorageException

    deadline = time.monotonic() + _LONGEST_SECONDS
    while True:
        try:
            with closing(service._bus()) as bus:
                if not secretstorage.Collection(bus).is_locked():
                    return
        except (SecretStorageException, OSError):
            pass
        assert time.monotonic() < deadline, "the keyring did not start"
        time.sleep(0.01)


@contextmanager
def _running(command: list[str], environ: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        command,
        env=os.environ | environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def keyring_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretService]:
    if reason := missing_programs():
        pytest.skip(reason)
    with secret_service(tmp_path) as service:
        for name, value in service.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
        yield service
