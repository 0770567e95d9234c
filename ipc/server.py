"""Both sockets, served: one aiohttp application on each, with the limits of DESIGN section 7."""

import os
import socket

from aiohttp import web

from ipc.acceptor import of_user
from ipc.admin_api import admin_app
from ipc.administration import AdminBackend
from ipc.answered import ChatKeeper
from ipc.asking import Account
from ipc.inference import InferenceBackend
from ipc.inference_api import inference_app
from ipc.listening import Limits, Listening

__all__ = ["Limits", "Servers"]


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
        self._served: list[Listening] = []

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
        for each in self._served:
            await each.stop_accepting()
        for each in self._served:
            await each.stop()
        self._served.clear()

    async def _serve(self, listening: socket.socket, app: web.Application) -> None:
        lets_in = of_user(self._allowed_uid)
        self._served.append(
            await Listening.start(listening, app, limits=self._limits, lets_in=lets_in)
        )
