"""Routes of `admin.sock` for preview, test, audit and export.

Turns HTTP into calls of `SeeingBackend`. What is long comes as one JSON object a line.
"""

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from aiohttp import web

from ipc.admin_bodies import Json, object_body
from ipc.errors import OperationError
from ipc.exchange import json_answer
from ipc.given_secret import GivenSecret, given_secret
from ipc.line_stream import answer_in_lines

LARGEST_NUMBER = 2**53


class SeeingBackend(Protocol):
    """Implemented in `daemon/seeing_operations.py`. Methods raise `OperationError`."""

    def texts(
        self, *, document: int | None, after: int, count: int | None
    ) -> AsyncGenerator[Json, None]:
        """Documents with their text: one by its number, or those that a night would train on,
        `count` of them after the number `after`.
        """
        ...

    async def forgotten(self, *, source: str | None, path: str | None, text: str) -> Json:
        """Whether this text, or the file it stands in, was forgotten: `{"forgotten": bool}`.

        The text is looked up and not kept.
        """
        ...

    def audit(self, *, quick: bool, since: float | None) -> AsyncGenerator[Json, None]:
        """Lines of progress, and last `{"audit": ...}`. `since`: seconds since the epoch."""
        ...

    def export(self, secret: GivenSecret, folder: str | None) -> AsyncGenerator[Json, None]:
        """Everything that is kept: `{"begin": facts}`, `{"piece": base64}`, `{"end": {}}` for each
        document and adapter, `{"record": ..., "of": "nights"}` or `"events"`, and last `{"done"}`.

        Args:
            folder: where the command writes it; kept with the record of the export.
        """
        ...


def seeing_routes(backend: SeeingBackend) -> list[web.AbstractRouteDef]:
    api = _SeeingApi(backend)
    return [
        web.get("/preview/texts", api.texts),
        web.post("/test/forgotten", api.forgotten),
        web.post("/audit", api.audit),
        web.post("/export", api.export),
    ]


class _SeeingApi:
    def __init__(self, backend: SeeingBackend) -> None:
        self._backend = backend

    async def texts(self, request: web.Request) -> web.StreamResponse:
        return await answer_in_lines(
            request,
            self._backend.texts(
                document=_number(request, "document"),
                after=_number(request, "after") or 0,
                count=_number(request, "count"),
            ),
        )

    async def forgotten(self, request: web.Request) -> web.Response:
        body = await object_body(request)
        return json_answer(
            await self._backend.forgotten(
                source=_optional(body, "source"),
                path=_optional(body, "path"),
                text=_optional(body, "text") or "",
            )
        )

    async def audit(self, request: web.Request) -> web.StreamResponse:
        body = await object_body(request)
        since, quick = body.get("since"), body.get("quick", False)
        if not isinstance(quick, bool):
            raise OperationError("usage", "`quick` must be true or false.")
        if since is not None and (isinstance(since, bool) or not isinstance(since, (int, float))):
            raise OperationError("usage", "`since` must be seconds since the epoch.")
        return await answer_in_lines(request, self._backend.audit(quick=quick, since=since))

    async def export(self, request: web.Request) -> web.StreamResponse:
        body = await object_body(request)
        lines = self._backend.export(given_secret(body), _optional(body, "folder"))
        return await answer_in_lines(request, lines)


def _optional(body: Json, name: str) -> str | None:
    given: Any = body.get(name)
    if given is not None and not isinstance(given, str):
        raise OperationError("usage", f"`{name}` must be a string.")
    return given


def _number(request: web.Request, name: str) -> int | None:
    given = request.query.get(name)
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 17):
        raise OperationError("usage", f"`{name}` must be a whole number.")
    return min(int(given), LARGEST_NUMBER)
