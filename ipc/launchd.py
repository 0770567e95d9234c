"""Sockets that launchd opened for us: `launch_activate_socket(3)`, asked through ctypes.

Python offers no such call. Written after the manual; tested with a stand-in for the library, and on
no Mac yet.
"""

import ctypes
import socket
from typing import get_args

from ipc.activation import SocketName


def take_from_launchd(library: str | None = None) -> dict[str, socket.socket]:
    """By name, and closed to our children; empty for a process that launchd did not start so.

    Args:
        library: where the call is; None: in what every process has loaded.
    """
    loaded = ctypes.CDLL(library)
    taken = {}
    for name in get_args(SocketName):
        sockets = [socket.socket(fileno=number) for number in _descriptors(loaded, name)]
        for sock in sockets:
            sock.set_inheritable(False)
        for spare in sockets[1:]:  # one path gives one socket
            spare.close()
        if sockets:
            taken[name] = sockets[0]
    return taken


def _descriptors(library: ctypes.CDLL, name: str) -> list[int]:
    array = ctypes.POINTER(ctypes.c_int)()
    count = ctypes.c_size_t()
    failed = library.launch_activate_socket(name.encode(), ctypes.byref(array), ctypes.byref(count))
    if failed:  # ESRCH: nobody's agent; ENOENT: no socket of this name
        return []
    numbers = [array[i] for i in range(count.value)]
    free = library.free
    free.argtypes = (ctypes.c_void_p,)
    free(array)
    return numbers
