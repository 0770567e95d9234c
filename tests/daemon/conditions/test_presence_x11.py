"""An X server that is asked when it saw input last: a real one, without a screen."""

import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.conditions.presence_sessions import Session
from daemon.conditions.presence_x11 import COOKIE, SOCKETS, X11Idle, cookies
from tests.daemon.conditions.seeing import NOW

KEY = bytes(range(16))
USER = 1000


def entry(display: str, key: bytes, *, name: bytes = COOKIE) -> bytes:
    fields = (b"somewhere", display.encode(), name, key)
    return b"\1\0" + b"".join(struct.pack(">H", len(one)) + one for one in fields)


def test_the_keys_of_a_display_are_found() -> None:
    authority = b"".join(
        [
            entry("0", b"of another"),
            entry("1", KEY),
            entry("1", b"of another kind", name=b"XDM-AUTHORIZATION-1"),
            entry("", b"of all"),
        ]
    )
    assert list(cookies(authority, "1")) == [KEY, b"of all"]
    assert list(cookies(b"", "1")) == []
    with pytest.raises(struct.error):
        list(cookies(authority[:-20], "1"))


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Path]]:
    """Its display, and the file with its key."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb not installed")
    with tempfile.TemporaryDirectory(prefix="nl-x-") as folder:
        authority = Path(folder) / "authority"
        authority.write_bytes(entry("", KEY))
        told, tells = os.pipe()
        command = [
            *("Xvfb", "-displayfd", str(tells), "-auth", str(authority), "-nolisten", "tcp"),
            *("-noreset", "-screen", "0", "64x64x8", "-extension", "GLX"),
        ]
        with subprocess.Popen(
            command, pass_fds=[tells], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            os.close(tells)
            with os.fdopen(told) as lines:
                number = lines.readline().strip()
            if not (SOCKETS / f"X{number}").exists():
                process.terminate()
                pytest.skip("Xvfb cannot put its socket where X servers put theirs")
            yield f":{number}", authority
            process.terminate()  # it takes its socket away


def session(display: str, **changes: Any) -> Session:
    return Session(
        **{
            "path": "/s/1",
            "user": USER,
            "kind": "x11",
            "active": True,
            "idle": False,
            "since": 0.0,
            "locked": False,
            "display": display,
            **changes,
        }
    )


@pytest.mark.parametrize(("threshold", "away"), [(0.0, True), (3600.0, False)])
async def test_the_server_tells(server: tuple[str, Path], threshold: float, away: bool) -> None:
    display, authority = server
    x11 = X11Idle(idle_seconds=threshold, user=USER, authority=authority)
    seen = await x11.look(NOW, [session(display)])
    assert seen is not None
    assert seen.away is away
    assert seen.polled
    assert seen.last_input is not None
    assert NOW - 600 < seen.last_input <= NOW  # it was started just now


async def test_only_a_session_that_is_x11_through_and_through_is_asked(
    server: tuple[str, Path],
) -> None:
    display, authority = server
    x11 = X11Idle(idle_seconds=1.0, user=USER, authority=authority, display=display)
    for other in (
        session(display, kind="wayland"),
        session(display, user=7),
        session(display, active=False),
    ):
        assert await x11.look(NOW, [other]) is None
    assert await x11.look(NOW, []) is not None  # no logind: the environment's display


async def test_without_the_key_or_the_server_nothing_is_told(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    display, _ = server
    wrong = tmp_path / "wrong"
    wrong.write_bytes(entry("", b"0" * 16))
    # The server may let its own user in without any key; then it tells, and does not break.
    for authority in (wrong, tmp_path / "none", None):
        await X11Idle(idle_seconds=1.0, user=USER, authority=authority).look(
            NOW, [session(display)]
        )
    x11 = X11Idle(idle_seconds=1.0, user=USER, sockets=tmp_path)
    for nowhere in (display, "", ":", ":x", "remote:0", ":../7"):
        assert await x11.look(NOW, [session(nowhere)]) is None
