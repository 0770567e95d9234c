"""Lets connections in: those that may, and only so many at a time.

Accepting is done here and not by asyncio, so that a stranger's bytes never meet the HTTP parser
and the count is taken before anything is spent on a connection.
"""

import asyncio
import logging
import socket
from collections.abc import Callable

from aiohttp import web

from ipc.exchange import encode
from ipc.peer import peer_uid

log = logging.getLogger(__name__)

# A refused client may still be sending; it gets so long to read the refusal.
REFUSAL_SECONDS = 2.0
# Out of descriptors: wait for some to come back.
EXHAUSTED_SECONDS = 0.5

Door = Callable[[socket.socket], bool]  # whether who connected may come in


def refusal() -> bytes:
    body = encode(
        {
            "error": {
                "message": "Too many connections are open; close some and try again.",
                "type": "server_error",
                "param": None,
                "code": "too_many_connections",
            }
        }
    )
    return (
        b"HTTP/1.1 503 Service Unavailable\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: %d\r\n"
        b"Retry-After: 1\r\n"
        b"Connection: close\r\n\r\n%b" % (len(body), body)
    )


class Acceptor:
    """Feeds one listening socket to one HTTP server."""

    def __init__(
        self, listening: socket.socket, server: web.Server, *, lets_in: Door, limit: int
    ) -> None:
        listening.setblocking(False)
        self._listening = listening
        self._server = server
        self._lets_in = lets_in
        self._limit = limit
        self._refusals: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept_all())

    async def stop(self) -> None:
        """Takes no more connections; those that are open stay open."""
        ending = [self._accepting, *self._refusals]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _accept_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listening)
            except OSError as error:
                log.warning("could not accept a connection: %s", error.strerror)
                await asyncio.sleep(EXHAUSTED_SECONDS)
                continue
            await self._admit(connection)

    async def _admit(self, connection: socket.socket) -> None:
        if not self._lets_in(connection):
            log.warning("refused a connection of a stranger")
            connection.close()
        elif len(self._server.connections) < self._limit:
            await asyncio.get_running_loop().connect_accepted_socket(self._server, connection)
        elif len(self._refusals) < self._limit:
            task = asyncio.create_task(refuse(connection))
            self._refusals.add(task)
            task.add_done_callback(self._refusals.discard)
        else:
            connection.close()


def of_user(uid: int) -> Door:
    """Those of one user, as the kernel tells it; for Unix sockets."""

    def lets_in(connection: socket.socket) -> bool:
        try:
            return peer_uid(connection) == uid
        except OSError:
            return False

    return lets_in


async def refuse(connection: socket.socket) -> None:
    """Says 503 and waits until the client has read it: a close with bytes unread is a reset."""
    loop = asyncio.get_running_loop()
    with connection:
        try:
            async with asyncio.timeout(REFUSAL_SECONDS):
                await loop.sock_sendall(connection, refusal())
                connection.shutdown(socket.SHUT_WR)
                while await loop.sock_recv(connection, 64 * 1024):
                    pass
        except (OSError, TimeoutError):
            return
