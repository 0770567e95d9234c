"""Sockets that systemd opened for us and handed over (`sd_listen_fds(3)`).

A unit names them with `FileDescriptorName=api` and `FileDescriptorName=admin`. launchd hands over
in another way: `launchd.py`.
"""

import socket
from collections.abc import Mapping, MutableMapping
from typing import Literal, get_args

from ipc.errors import BadActivation

SocketName = Literal["api", "admin"]
FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START


def handed_over(environ: Mapping[str, str], *, pid: int) -> tuple[str, ...]:
    """Names of the descriptors from FIRST_DESCRIPTOR on; none when they are not for `pid`.

    Raises:
        BadActivation: the variables are not what systemd sets.
    """
    if environ.get("LISTEN_PID") != str(pid):
        return ()
    count = environ.get("LISTEN_FDS", "")
    names = tuple(environ.get("LISTEN_FDNAMES", "").split(":"))
    if not count.isdecimal() or len(names) != int(count):
        raise BadActivation("LISTEN_FDS and LISTEN_FDNAMES do not fit together.")
    if len(set(names)) != len(names) or not set(names) <= set(get_args(SocketName)):
        raise BadActivation
    return names


def take_activated(
    environ: MutableMapping[str, str], *, pid: int, first_descriptor: int = FIRST_DESCRIPTOR
) -> dict[str, socket.socket]:
    """The sockets that were handed over, by name, and closed to our children.

    The variables are removed, so that a child does not take the sockets for its own.

    Raises:
        BadActivation: a descriptor is not a listening Unix stream socket.
    """
    names = handed_over(environ, pid=pid)
    for variable in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environ.pop(variable, None)
    taken: dict[str, socket.socket] = {}
    for descriptor, name in enumerate(names, start=first_descriptor):
        try:
            sock = socket.socket(fileno=descriptor)
        except OSError:
            raise BadActivation from None
        taken[name] = sock
        listens = sock.family == socket.AF_UNIX and sock.type == socket.SOCK_STREAM
        if not listens or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            for opened in taken.values():
                opened.close()
            raise BadActivation
        sock.set_inheritable(False)
    return taken
