"""Routes of `admin.sock` for one adapter: what it is, its way out, its end.

Turns HTTP into calls of `ShelfBackend`. An adapter is named by its digest or the first digits of
it.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

from aiohttp import web

from ipc.admin_bodies import Json, choice, object_body, optional_text, text
from ipc.exchange import json_answer
from ipc.given_secret import GivenSecret, given_secret
from ipc.line_stream import answer_in_lines


class ShelfBackend(Protocol):
    """Implemented in `daemon/shelf_operations.py`. Methods raise `OperationError`."""

    async def show(self, adapter: str) -> Json: ...

    def export(
        self, adapter: str, secret: GivenSecret, folder: str | None
    ) -> AsyncGenerator[Json, None]:
        """`{"begin": facts}`, `{"piece": base64}` for its weights, `{"end": {"bytes"}}`, and last
        `{"done"}`.

        Args:
            folder: where the command writes it; kept with the record of the export.
        """
        ...

    async def delete(self, adapter: str, *, pinned: bool, now: bool) -> Json:
        """Its weights are gone when this returns, and no new request finds it.

        Args:
            pinned: also one that is kept to go back to.
            now: answers that it gives at the moment end with an error. Otherwise they come to
                their end (`answering`), and then it leaves the engine's memory.
        """
        ...


def shelf_routes(backend: ShelfBackend) -> list[web.AbstractRouteDef]:
    api = _ShelfApi(backend)
    return [
        web.post("/adapters/show", api.show),
        web.post("/adapters/export", api.export),
        web.post("/adapters/delete", api.delete),
    ]


class _ShelfApi:
    def __init__(self, backend: ShelfBackend) -> None:
        self._backend = backend

    async def show(self, request: web.Request) -> web.Response:
        body = await object_body(request)
        return json_answer(await self._backend.show(text(body, "adapter")))

    async def export(self, request: web.Request) -> web.StreamResponse:
        body = await object_body(request)
        lines = self._backend.export(
            text(body, "adapter"), given_secret(body), optional_text(body, "folder")
        )
        return await answer_in_lines(request, lines)

    async def delete(self, request: web.Request) -> web.Response:
        body = await object_body(request)
        return json_answer(
            await self._backend.delete(
                text(body, "adapter"),
                pinned=choice(body, "pinned", otherwise=False),
                now=choice(body, "now", otherwise=False),
            )
        )
