"""Strangers at the door: another user in earnest, links in the place of folders, slow headers."""

import asyncio
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from ipc.errors import UnsafeSocketFolder
from ipc.server import Limits, Servers
from ipc.sockets import ServiceSockets, admin_socket_path, api_socket_path, bind
from tests.ipc.serving import SOON_SECONDS, Administration, House, Inference, house

NOBODY = 65534  # on every Linux; macOS calls it -2
ASK_HEALTH = b"GET /health HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n"

# What the other user does: connect, ask, and say how far it came.
STRANGER = """
import socket, sys
with socket.socket(socket.AF_UNIX) as client:
    client.settimeout(float(sys.argv[2]))
    try:
        client.connect(sys.argv[1])
    except PermissionError:
        print("not reached")
        sys.exit()
    try:
        client.sendall(b"GET /health HTTP/1.1\\r\\nHost: n\\r\\n\\r\\n")
        print("answered" if client.recv(1) else "sent away")
    except ConnectionError:
        print("sent away")
"""


# --------------------------------------------------------------------------- another user


@pytest.fixture(scope="module")
def served() -> Generator[House, None, None]:
    """In a folder that everybody can reach: what stops a stranger is below it."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as a second user")
    place = Path(tempfile.mkdtemp(prefix="nl-"))
    place.chmod(0o755)
    try:
        with house(place / "run") as one:
            yield one
    finally:
        shutil.rmtree(place)


def as_another_user(path: Path) -> str:
    """How far a process of another user comes with a socket."""
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv (util-linux)")
    person = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
    python = [*person, os.path.realpath(sys.executable), "-I", "-S", "-c"]
    if subprocess.run([*python, ""], cwd="/", capture_output=True).returncode != 0:
        pytest.skip("another user cannot run this Python")
    return subprocess.run(
        [*python, STRANGER, str(path), str(SOON_SECONDS)],
        cwd="/", capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


def test_another_user_does_not_reach_the_sockets(served: House) -> None:
    assert as_another_user(served.api_path) == "not reached"
    assert as_another_user(served.admin_path) == "not reached"


def test_another_user_who_was_let_into_the_folders_is_sent_away_unheard(served: House) -> None:
    """As if somebody had opened them all: the kernel still says who connects."""
    for path in (served.api_path, served.admin_path):
        kept = {one: one.stat().st_mode for one in (path, path.parent, served.runtime)}
        path.chmod(0o666)
        path.parent.chmod(0o755)
        served.runtime.chmod(0o755)
        try:
            assert as_another_user(path) == "sent away"
        finally:
            for one, mode in kept.items():
                one.chmod(stat.S_IMODE(mode))
    assert served.ask("GET", "/health").status == 200, "their own user is still served"


# --------------------------------------------------------------------------- places


@pytest.mark.parametrize("linked", ["", "api", "admin"], ids=["all", "api", "admin"])
def test_no_folder_of_the_sockets_may_be_a_link(tmp_path: Path, linked: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    place = tmp_path / "run" / linked
    place.parent.mkdir(mode=0o700, exist_ok=True)
    place.symlink_to(elsewhere)
    with pytest.raises(UnsafeSocketFolder, match="symbolic link"):
        ServiceSockets.claim(tmp_path / "run", environ={})
    assert list(elsewhere.iterdir()) == []


def test_a_socket_whose_mode_the_file_system_does_not_keep_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0)  # a file system that makes all files open to all
    monkeypatch.setattr("ipc.sockets.os.umask", lambda mask: 0)
    try:
        with pytest.raises(UnsafeSocketFolder, match="mode of a socket"):
            bind(tmp_path / "run" / "api.sock")
    finally:
        monkeypatch.undo()
        os.umask(before)


# --------------------------------------------------------------------------- time


class ByHand(asyncio.SelectorEventLoop):
    """A loop whose clock stands until it is moved."""

    now = 0.0

    def time(self) -> float:
        return self.now


def test_headers_have_ten_seconds_from_connecting_and_no_more(tmp_path: Path) -> None:
    assert Limits() == Limits(header_seconds=10.0, body_bytes=4 * 1024 * 1024, connections=64)

    with asyncio.Runner(loop_factory=ByHand) as runner:
        runner.run(cut_at_ten_seconds(tmp_path / "run"))


async def cut_at_ten_seconds(runtime: Path) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ByHand)
    with ServiceSockets.claim(runtime, environ={}) as sockets:
        servers = Servers()
        await servers.start(sockets.api, sockets.admin, Inference(), Administration())
        slow = []
        for path in (api_socket_path(runtime), admin_socket_path(runtime)):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(b"GET /health HTTP/1.1\r\n")
            slow.append((reader, writer))
        assert await asked(api_socket_path(runtime))  # so the slow ones are known by now

        loop.now = 9.9
        for _, writer in slow:
            writer.write(b"X-Slow: 1\r\n")  # sets nothing back
        assert await asked(api_socket_path(runtime))
        assert not any(reader.at_eof() for reader, _ in slow)

        loop.now = 10.1
        for reader, writer in slow:
            assert await reader.read() == b""
            writer.close()
        await servers.stop()


async def asked(path: Path) -> bool:
    """Whether an honest client gets its answer."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(ASK_HEALTH)
    said = await reader.read()
    writer.close()
    return said.startswith(b"HTTP/1.1 200")
