"""Both sockets, served: one aiohttp application on each, with the limits of DESIGN section 7."""

import os
import socket
from dataclasses import dataclass

from aiohttp import web

from ipc.acceptor import Acceptor
from ipc.admin_api import admin_app
from ipc.administration import AdminBackend
from ipc.answered import ChatKeeper
from ipc.asking import Account
from ipc.exchange import http_log
from ipc.inference import InferenceBackend
from ipc.inference_api import inference_app


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client may take of the service."""

    header_seconds: float = 10.0  # from connecting, or from the last answer, to complete headers
    body_bytes: int = 4 * 1024 * 1024
    connections: int = 64  # per socket
    ping_seconds: float = 15.0  # of silence in a stream
    stop_seconds: float = 2.0  # that an answer under way gets when the service stops


class Servers:
    """Serves from `start` to `stop`. The sockets stay the caller's to close."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        allowed_uid: int | None = None,
        account: Account | None = None,
        keeper: ChatKeeper | None = None,
    ) -> None:
        """
        Args:
            allowed_uid: whose connections are taken; the service's own user when not given.
            account: told of every request, with who asked.
            keeper: told of every chat that was answered.
        """
        self._keeper = keeper
        self._account = account
        self._limits = limits or Limits()
        self._allowed_uid = os.geteuid() if allowed_uid is None else allowed_uid
        self._served: list[tuple[Acceptor, web.AppRunner]] = []

    async def start(
        self,
        api_socket: socket.socket,
        admin_socket: socket.socket,
        inference_backend: InferenceBackend,
        admin_backend: AdminBackend,
    ) -> None:
        limits = self._limits
        await self._serve(
            api_socket,
            inference_app(
                inference_backend,
                body_limit_bytes=limits.body_bytes,
                ping_seconds=limits.ping_seconds,
                account=self._account,
                keeper=self._keeper,
            ),
        )
        await self._serve(
            admin_socket,
            admin_app(admin_backend, body_limit_bytes=limits.body_bytes, account=self._account),
        )

    async def stop(self) -> None:
        """Takes no new connection, lets answers end for `stop_seconds`, then cuts them off."""
        for acceptor, _ in self._served:
            await acceptor.stop()
        for _, runner in self._served:
            await runner.cleanup()
        self._served.clear()

    async def _serve(self, listening: socket.socket, app: web.Application) -> None:
        runner = web.AppRunner(
            app,
            handler_cancellation=True,  # a client that hangs up ends its generation
            access_log=None,
            logger=http_log,
            # aiohttp's one timer for a connection that has no complete request: it runs from
            # connecting and from each answer, and bytes that trickle in do not set it back.
            keepalive_timeout=self._limits.header_seconds,
            tcp_keepalive=False,
            auto_decompress=False,
            shutdown_timeout=self._limits.stop_seconds,
        )
        await runner.setup()
        assert runner.server is not None
        acceptor = Acceptor(
            listening,
            runner.server,
            allowed_uid=self._allowed_uid,
            limit=self._limits.connections,
        )
        self._served.append((acceptor, runner))
