"""Routes of `admin.sock` for how far collecting is, and what of it failed.

Turns HTTP into calls of `CollectingBackend`.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

from aiohttp import web

from ipc.admin_bodies import Json, answering, object_body, text, texts
from ipc.exchange import json_answer
from ipc.line_stream import answer_in_lines


class CollectingBackend(Protocol):
    """Implemented in `daemon/collecting_operations.py`. Methods raise `OperationError`."""

    def scan(self, name: str) -> AsyncGenerator[Json, None]:
        """How far the first look at everything in a source is: `{"progress": facts}` now and then,
        and last `{"source": facts, "counts": counts}`, counts being null where it has to wait.
        """
        ...

    async def speakers(self, path: str, me: list[str]) -> Json:
        """`speakers`: names in the exports of chats at a place; none where one of them is `me`."""
        ...

    async def failed(self) -> list[Json]:
        """Per source the files that could not be read, by name."""
        ...


def collecting_routes(backend: CollectingBackend) -> list[web.AbstractRouteDef]:
    async def scan(request: web.Request) -> web.StreamResponse:
        return await answer_in_lines(request, backend.scan(request.match_info["name"]))

    async def speakers(request: web.Request) -> web.Response:
        body = await object_body(request)
        return json_answer(await backend.speakers(text(body, "path"), texts(body, "me")))

    return [
        web.post("/speakers", speakers),
        web.get("/failed", answering(backend.failed)),
        web.get("/sources/{name}/scan", scan),
    ]
