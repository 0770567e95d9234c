"""One HTTP application on one listening socket, with the limits of DESIGN section 7.

Knows nothing of what is asked there, nor of what kind of socket it is.
"""

import socket
from dataclasses import dataclass
from typing import Self

from aiohttp import web

from ipc.acceptor import Acceptor, Door
from ipc.exchange import http_log


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client may take of the service."""

    header_seconds: float = 10.0  # from connecting, or from the last answer, to complete headers
    body_bytes: int = 4 * 1024 * 1024
    connections: int = 64  # per socket
    ping_seconds: float = 15.0  # of silence in a stream
    stop_seconds: float = 2.0  # that an answer under way gets when the service stops


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """An application that is served, until `stop`. The socket stays the caller's to close."""

    acceptor: Acceptor
    runner: web.AppRunner

    @classmethod
    async def start(
        cls, listening: socket.socket, app: web.Application, *, limits: Limits, lets_in: Door
    ) -> Self:
        runner = web.AppRunner(
            app,
            handler_cancellation=True,  # a client that hangs up ends its generation
            access_log=None,
            logger=http_log,
            # aiohttp's one timer for a connection that has no complete request: it runs from
            # connecting and from each answer, and bytes that trickle in do not set it back.
            keepalive_timeout=limits.header_seconds,
            tcp_keepalive=False,
            auto_decompress=False,
            shutdown_timeout=limits.stop_seconds,
        )
        await runner.setup()
        assert runner.server is not None
        acceptor = Acceptor(listening, runner.server, lets_in=lets_in, limit=limits.connections)
        return cls(acceptor=acceptor, runner=runner)

    async def stop_accepting(self) -> None:
        await self.acceptor.stop()

    async def stop(self) -> None:
        """Lets answers end for `stop_seconds`, then cuts them off."""
        await self.acceptor.stop()
        await self.runner.cleanup()
