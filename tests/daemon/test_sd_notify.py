"""What the service tells its manager, over real datagram sockets."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.sd_notify import Notifier

OUR_PID = 4711


@pytest.fixture(params=["path", "abstract"])
def listening(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[str, socket.socket]]:
    """NOTIFY_SOCKET's value, and the manager's end."""
    path = f"{tmp_path}/notify"[-100:]
    named = path if request.param == "path" else f"@{path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path if request.param == "path" else f"\0{path}")
        sock.setblocking(False)
        yield named, sock


def told(sock: socket.socket) -> list[str]:
    return sock.recv(4096).decode().splitlines()


def test_the_manager_hears_each_word(listening: tuple[str, socket.socket]) -> None:
    name, sock = listening
    notifier = Notifier.take({"NOTIFY_SOCKET": name}, pid=OUR_PID)

    notifier.ready("waiting; engine stopped")
    assert told(sock) == ["READY=1", "STATUS=waiting; engine stopped"]
    notifier.alive()
    assert told(sock) == ["WATCHDOG=1"]
    notifier.stopping()
    assert told(sock) == ["STOPPING=1"]


def test_a_status_cannot_say_more_than_a_status(listening: tuple[str, socket.socket]) -> None:
    name, sock = listening

    Notifier(address=name).status("one\nMAINPID=1")

    assert told(sock) == ["STATUS=one MAINPID=1"]


def test_children_do_not_speak_for_us() -> None:
    environ = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}

    Notifier.take(environ, pid=OUR_PID)

    assert environ == {"HOME": "/"}


@pytest.mark.parametrize(
    ("microseconds", "process", "seconds"),
    [
        ("180000000", str(OUR_PID), 180.0),
        ("180000000", "", 180.0),
        ("180000000", "1", None),  # another process is watched
        ("0", "", None),
        ("soon", "", None),
        ("", "", None),
    ],
)
def test_how_often_the_manager_wants_to_hear(
    microseconds: str, process: str, seconds: float | None
) -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": microseconds, "WATCHDOG_PID": process}

    assert Notifier.take(environ, pid=OUR_PID).watchdog_seconds == seconds


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1"])
def test_where_nobody_listens_nothing_is_said(address: str) -> None:
    notifier = Notifier.take({"NOTIFY_SOCKET": address}, pid=OUR_PID)

    notifier.ready("waiting")

    assert notifier.address is None


def test_a_manager_that_is_gone_or_does_not_read_stops_nothing(tmp_path: Path) -> None:
    gone = Notifier(address=str(tmp_path / "gone"))
    gone.alive()

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "full"))
        full = Notifier(address=str(tmp_path / "full"))
        for _ in range(5000):  # more than any queue holds
            full.alive()


def test_a_busy_manager_hears_of_the_start_all_the_same(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "full"))
        notifier = Notifier(address=str(tmp_path / "full"))
        for _ in range(1000):
            notifier.alive()
        starting = threading.Thread(target=notifier.ready, args=("waiting",))
        starting.start()
        sock.settimeout(60)
        while "READY=1" not in told(sock):
            pass
        starting.join()
