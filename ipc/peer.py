"""Who is at the other end of a Unix socket, as the kernel tells it."""

import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LOCAL_PEERPID = 2  # sys/un.h of macOS; Python does not name it
LONGEST_NAME = 64


class Connected(Protocol):
    """The part of a socket that is asked."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The process at the other end when it connected. Empty where the system does not say.

    User and number come from the kernel. The name is what the process calls itself: it tells
    programs apart that do not hide.
    """

    program: str = "?"
    pid: int | None = None
    uid: int | None = None


def peer_of(connection: Connected) -> Peer:
    """Never raises: who cannot be named is an empty `Peer`."""
    try:
        pid, uid = _credentials(connection)
    except OSError:
        return Peer()
    return Peer(program=program_name(pid), pid=pid, uid=uid)


def program_name(pid: int) -> str:
    """What a running process calls itself, and its executable where that is another name."""
    folder = Path("/proc") / str(pid)
    try:
        called = (folder / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "?"
    try:
        executable = (folder / "exe").readlink().name
    except OSError:  # of another user, or gone
        executable = ""
    if not executable or executable.startswith(called):
        return (called or "?")[:LONGEST_NAME]
    return f"{called} ({executable})"[:LONGEST_NAME]


def peer_uid(connection: Connected) -> int:
    """The user id of the process that connected; it cannot be forged.

    Raises:
        OSError: the system does not say; treat the peer as a stranger.
    """
    return _credentials(connection)[1]


def _credentials(connection: Connected) -> tuple[int, int]:
    """Process and user."""
    if sys.platform == "darwin":
        # What getpeereid(3) does there: struct xucred {u_int version; uid_t uid; ...}.
        answer = connection.getsockopt(0, socket.LOCAL_PEERCRED, struct.calcsize("IIh16I"))
        _version, uid = struct.unpack_from("II", answer)
        (pid,) = struct.unpack("i", connection.getsockopt(0, LOCAL_PEERPID, 4))
        return int(pid), int(uid)
    answer = connection.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII")
    )  # struct ucred {pid_t pid; uid_t uid; gid_t gid;}
    pid, uid, _gid = struct.unpack("iII", answer)
    return int(pid), int(uid)
