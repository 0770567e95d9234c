"""Routes of `admin.sock` for retention, quotas, exclusions and pauses.

Turns HTTP into calls of `LimitsBackend`.
"""

from typing import Protocol

from aiohttp import web

from ipc.admin_bodies import (
    Json,
    answering,
    object_body,
    optional_text,
    pause_seconds,
    text,
)
from ipc.errors import OperationError
from ipc.exchange import json_answer


class LimitsBackend(Protocol):
    """Implemented in `daemon/limits_operations.py`. Methods raise `OperationError`."""

    async def exclusions(self) -> Json: ...

    async def exclude(self, glob: str) -> Json: ...

    async def include_again(self, glob: str) -> Json: ...

    async def retention(self) -> Json: ...

    async def count_older(self, days: int, source: str | None) -> Json:
        """How many documents are older, of one source or of all."""
        ...

    async def set_retention(self, days: int | None, source: str | None) -> Json:
        """For one source or for all there are; None lifts it."""
        ...

    async def pause_source(self, name: str) -> Json: ...

    async def resume_source(self, name: str) -> Json: ...

    async def pause(self, seconds: float | None) -> Json:
        """Everything, for so long or until `resume`."""
        ...

    async def resume(self) -> Json: ...


def limits_routes(backend: LimitsBackend) -> list[web.AbstractRouteDef]:
    api = _LimitsApi(backend)
    return [
        web.get("/exclusions", answering(backend.exclusions)),
        web.post("/exclusions", api.exclude),
        web.post("/exclusions/remove", api.include_again),
        web.get("/retention", answering(backend.retention)),
        web.post("/retention/count", api.count_older),
        web.post("/retention", api.set_retention),
        web.post("/sources/{name}/pause", api.pause_source),
        web.post("/sources/{name}/resume", api.resume_source),
        web.post("/pause", api.pause),
        web.post("/resume", answering(backend.resume)),
    ]


class _LimitsApi:
    """The handlers that take something."""

    def __init__(self, backend: LimitsBackend) -> None:
        self._backend = backend

    async def exclude(self, request: web.Request) -> web.Response:
        body = await object_body(request)
        return json_answer(await self._backend.exclude(text(body, "glob")))

    async def include_again(self, request: web.Request) -> web.Response:
        body = await object_body(request)
        return json_answer(await self._backend.include_again(text(body, "glob")))

    async def count_older(self, request: web.Request) -> web.Response:
        body = await object_body(request)
        days = _days(body)
        if days is None:
            raise OperationError("usage", "`days` must be a whole number.")
        return json_answer(await self._backend.count_older(days, optional_text(body, "source")))

    async def set_retention(self, request: web.Request) -> web.Response:
        body = await object_body(request)
        source = optional_text(body, "source")
        return json_answer(await self._backend.set_retention(_days(body), source))

    async def pause_source(self, request: web.Request) -> web.Response:
        return json_answer(await self._backend.pause_source(request.match_info["name"]))

    async def resume_source(self, request: web.Request) -> web.Response:
        return json_answer(await self._backend.resume_source(request.match_info["name"]))

    async def pause(self, request: web.Request) -> web.Response:
        return json_answer(await self._backend.pause(pause_seconds(await object_body(request))))


def _days(body: Json) -> int | None:
    days = body.get("days")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int)):
        raise OperationError("usage", "`days` must be a whole number.")
    return days
