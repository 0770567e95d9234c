"""`admin.sock`: what the command line asks of the service.

Turns HTTP into calls of `AdminBackend` and answers with its JSON as it is. Knows nothing of what
the operations do. Errors are `{"error": {"message", "code"}}`; the codes are the command line's.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from ipc.admin_bodies import (
    answering,
    choice,
    object_body,
    optional_text,
    pause_seconds,
    text,
    texts,
)
from ipc.administration import AdminBackend
from ipc.asking import Account, operations_told
from ipc.backup_api import backup_routes
from ipc.collecting_api import collecting_routes
from ipc.errors import OperationCode, OperationError
from ipc.exchange import EventStream, json_answer
from ipc.forgetting_api import forgetting_routes
from ipc.keys_api import keys_routes
from ipc.limits_api import limits_routes
from ipc.line_stream import answer_in_lines, as_operation_error, error_object, line
from ipc.seeing_api import seeing_routes
from ipc.shelf_api import shelf_routes

Json = dict[str, Any]

BODY_LIMIT_BYTES = 4 * 1024 * 1024
PLACELESS_KINDS = frozenset({"conversations"})  # of sources, that lie at no path

STATUS_OF: dict[OperationCode, int] = {
    "usage": 400,
    "refused": 403,
    "locked": 423,
    "failed": 500,
    "not_running": 503,
}


def admin_app(
    backend: AdminBackend,
    *,
    body_limit_bytes: int = BODY_LIMIT_BYTES,
    account: Account | None = None,
) -> web.Application:
    api = AdminApi(backend)
    told = [] if account is None else [operations_told(account)]
    app = web.Application(client_max_size=body_limit_bytes, middlewares=[*told, answer_errors])
    for path, read in {
        "/status": backend.status,
        "/why": backend.why,
        "/sources": backend.sources,
        "/preview": backend.preview,
        "/adapters": backend.adapters,
        "/bases": backend.bases,
    }.items():
        app.router.add_get(path, answering(read))
    for path, act in {
        "/rescan": backend.rescan,
        "/night/stop": backend.stop_night,
        "/night/resume": backend.resume_nights,
        "/adapters/rollback": backend.rollback,
        "/shutdown": backend.shut_down,
    }.items():
        app.router.add_post(path, answering(act))
    app.router.add_get("/nights", api.nights)
    app.router.add_post("/sources", api.add_source)
    app.router.add_delete("/sources/{name}", api.remove_source)
    app.router.add_post("/night", api.run_night)
    app.router.add_get("/night/passages", api.night_passages)
    app.router.add_post("/night/pause", api.pause_nights)
    app.router.add_post("/adapters/use", api.use_adapter)
    app.router.add_routes(
        [
            *keys_routes(backend.keys),
            *forgetting_routes(backend.forgetting),
            *seeing_routes(backend.seeing),
            *limits_routes(backend.limits),
            *collecting_routes(backend.collecting),
            *backup_routes(backend.backup),
            *shelf_routes(backend.shelf),
        ]
    )
    return app


class AdminApi:
    """The handlers that take something, or answer bit by bit."""

    def __init__(self, backend: AdminBackend) -> None:
        self._backend = backend

    async def nights(self, request: web.Request) -> web.Response:
        return json_answer(await self._backend.nights(_whole_number(request, "count")))

    async def night_passages(self, request: web.Request) -> web.StreamResponse:
        night = _whole_number(request, "night")
        return await answer_in_lines(request, self._backend.night_passages(night))

    async def add_source(self, request: web.Request) -> web.Response:
        body = await object_body(request)
        kind = optional_text(body, "kind") or "folder"
        return json_answer(
            await self._backend.add_source(
                name=optional_text(body, "name"),
                kind=kind,
                path=_no_path(body) if kind in PLACELESS_KINDS else text(body, "path"),
                include=texts(body, "include"),
                exclude=texts(body, "exclude"),
                me=texts(body, "me"),
                own=choice(body, "own", otherwise=True),
                keep_deleted=choice(body, "keep_deleted", otherwise=True),
            )
        )

    async def remove_source(self, request: web.Request) -> web.Response:
        return json_answer(await self._backend.remove_source(request.match_info["name"]))

    async def use_adapter(self, request: web.Request) -> web.Response:
        body = await object_body(request)
        return json_answer(await self._backend.use_adapter(text(body, "adapter")))

    async def run_night(self, request: web.Request) -> web.StreamResponse:
        """One JSON object a line, the night's log last, or `{"error": ...}` in its place."""
        body = await object_body(request) if request.can_read_body else {}
        on_battery = choice(body, "on_battery", otherwise=False)
        stream = EventStream(request, content_type="application/x-ndjson")
        async with aclosing(self._backend.run_night(on_battery=on_battery)) as progress:
            first = await anext(progress, None)
            if first is None:
                raise OperationError("failed", "The night ended without a word.")
            try:
                await stream.open()
                try:
                    await write_lines(stream, first, progress)
                except ConnectionError:
                    raise
                except Exception as error:
                    await stream.write(line(error_object(as_operation_error(error))))
            except ConnectionError:
                pass  # nobody watches any more; the night goes on
        return stream.response

    async def pause_nights(self, request: web.Request) -> web.Response:
        return json_answer(
            await self._backend.pause_nights(pause_seconds(await object_body(request)))
        )


def _whole_number(request: web.Request, name: str) -> int | None:
    found = request.query.get(name)
    if found is not None and not (found.isdecimal() and len(found) < 10 and int(found)):
        raise OperationError("usage", f"`{name}` must be a whole number above 0.")
    return None if found is None else int(found)


def _no_path(body: Json) -> str:
    if body.get("path"):
        raise OperationError("usage", "This kind of source is at no place; leave `path` out.")
    return ""


async def write_lines(stream: EventStream, first: Json, others: AsyncGenerator[Json, None]) -> None:
    await stream.write(line(first))
    async for entry in others:
        await stream.write(line(entry))


# --------------------------------------------------------------------------- errors


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Exception as error:
        refusal = as_operation_error(error)
        status = error.status if isinstance(error, web.HTTPException) else STATUS_OF[refusal.code]
        return json_answer(error_object(refusal), status=status)
