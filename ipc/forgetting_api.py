"""Routes of `admin.sock` for what is to be forgotten, and what that costs.

Turns HTTP into calls of `ForgettingBackend`. What is to be forgotten comes in the body, which
nothing ever logs.
"""

from typing import Any, Protocol

from aiohttp import web

from ipc.admin_bodies import object_body, text, texts
from ipc.errors import OperationError
from ipc.exchange import json_answer

Json = dict[str, Any]
# a source's name, a document's number, a text, ids of answers, nothing
Named = str | int | tuple[str, ...] | None

SCOPES = ("source", "document", "matching", "answers", "everything")
LARGEST_ID = 2**63 - 1
MOST_ANSWERS = 1_000


class ForgettingBackend(Protocol):
    """Implemented in `daemon/forgetting_operations.py`. Methods raise `OperationError`.

    `scope` is `document`, `source`, `matching`, `answers` or `everything`.
    """

    async def cost(self, scope: str, named: Named) -> Json: ...

    async def forget(self, scope: str, named: Named) -> Json: ...

    async def remember(self, path: str) -> Json: ...


def forgetting_routes(backend: ForgettingBackend) -> list[web.AbstractRouteDef]:
    api = _ForgettingApi(backend)
    return [
        web.post("/forget/cost", api.cost),
        web.post("/forget", api.forget),
        web.post("/remember", api.remember),
    ]


class _ForgettingApi:
    def __init__(self, backend: ForgettingBackend) -> None:
        self._backend = backend

    async def cost(self, request: web.Request) -> web.Response:
        return json_answer(await self._backend.cost(*meant(await object_body(request))))

    async def forget(self, request: web.Request) -> web.Response:
        return json_answer(await self._backend.forget(*meant(await object_body(request))))

    async def remember(self, request: web.Request) -> web.Response:
        return json_answer(await self._backend.remember(text(await object_body(request), "path")))


def meant(body: Json) -> tuple[str, Named]:
    """Scope and what it names: exactly one of `SCOPES`."""
    given = [name for name in SCOPES if name in body]
    if len(given) != 1 or len(body) != 1:
        raise OperationError(
            "usage", "Name one of `source`, `document`, `matching`, `answers` and `everything`."
        )
    (scope,) = given
    if scope == "answers":
        ids = texts(body, scope)
        if not 0 < len(ids) <= MOST_ANSWERS:
            raise OperationError("usage", "`answers` must be a list of ids of answers.")
        return scope, tuple(ids)
    if scope == "everything":
        if body[scope] is not True:
            raise OperationError("usage", "`everything` must be true.")
        return scope, None
    if scope == "document":
        number = body[scope]
        if type(number) is not int or not 0 < number <= LARGEST_ID:
            raise OperationError("usage", "`document` must be a whole number above 0.")
        return scope, number
    return scope, text(body, scope)
