"""Who is at the other end of a Unix socket, as the kernel tells it."""

import socket
import struct
import sys


def peer_uid(connection: socket.socket) -> int:
    """The user id of the process that connected; it cannot be forged.

    Raises:
        OSError: the system does not say; treat the peer as a stranger.
    """
    if sys.platform == "darwin":
        # What getpeereid(3) does there: struct xucred {u_int version; uid_t uid; ...}.
        answer = connection.getsockopt(0, socket.LOCAL_PEERCRED, struct.calcsize("IIh16I"))
        _version, uid = struct.unpack_from("II", answer)
        return int(uid)
    answer = connection.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII")
    )  # struct ucred {pid_t pid; uid_t uid; gid_t gid;}
    _pid, uid, _gid = struct.unpack("iII", answer)
    return int(uid)
