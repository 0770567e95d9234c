"""A TCP port of this machine alone. Nothing here can be told to listen anywhere else."""

import errno
import ipaddress
import os
import socket
from collections.abc import Sequence

from ipc.errors import BridgeNotLoopback, BridgePortUnavailable

BACKLOG = 128
V4, V6 = "127.0.0.1", "::1"


def listen(port: int, *, ipv6: bool = False) -> list[socket.socket]:
    """Sockets that listen on 127.0.0.1, and on ::1 too if asked. Port 0 is any that is free.

    Raises:
        BridgePortUnavailable: another program has it, or the system does not give it.
    """
    first = bind(V4, port)
    if not ipv6:
        return [first]
    try:
        return [first, bind(V6, port_of(first))]
    except BaseException:
        first.close()
        raise


def bind(address: str, port: int) -> socket.socket:
    """Raises BridgeNotLoopback for an address that others can reach, and BridgePortUnavailable."""
    parsed = ipaddress.ip_address(address)
    if not parsed.is_loopback:
        raise BridgeNotLoopback
    family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            # A port is free again at once; two that listen on it are still refused.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address, port))
            sock.listen(BACKLOG)
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "" if taken else os.strerror(error.errno or 0)
        raise BridgePortUnavailable(port=port, reason=reason) from None
    return sock


def port_of(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def hosts_of(sockets: Sequence[socket.socket]) -> frozenset[str]:
    """What a request may name as its `Host`, exactly."""
    found = set[str]()
    for each in sockets:
        names = ("127.0.0.1", "localhost") if each.family == socket.AF_INET else ("[::1]",)
        found |= {f"{name}:{port_of(each)}" for name in names}
    return frozenset(found)


def is_near(connection: socket.socket) -> bool:
    """Whether both ends of a connection are on this machine."""
    try:
        ends = (connection.getsockname()[0], connection.getpeername()[0])
    except OSError:
        return False
    return all(ipaddress.ip_address(end).is_loopback for end in ends)
