"""Routes of `admin.sock` for the key slots, unlocking and locking, rotation.

Turns HTTP into calls of `KeysBackend`. Secrets come in the body; the one that goes out is a new
recovery key, in the answer to who asked for it.
"""

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from aiohttp import web

from ipc.admin_bodies import answering, object_body, optional_text, text
from ipc.exchange import json_answer
from ipc.given_secret import GivenSecret, given_secret, optional_secret
from ipc.line_stream import answer_in_lines

Json = dict[str, Any]


class KeysBackend(Protocol):
    """Implemented in `daemon/keys_operations.py`. Methods raise `OperationError`."""

    async def unlock(self, secret: GivenSecret | None) -> Json:
        """Without a secret, by a slot that opens with nobody there."""
        ...

    async def lock(self) -> Json: ...

    async def slots(self) -> list[Json]: ...

    async def add_slot(self, kind: str, *, secret: GivenSecret, new_passphrase: str | None) -> Json:
        """`secret`: one that opens the vault now. The answer to `recovery` holds the new key."""
        ...

    async def remove_slot(self, kind: str) -> Json: ...

    def rotate(self) -> AsyncGenerator[Json, None]:
        """Progress, last `{"rotated": ...}`; closing it leaves the rotation at work."""
        ...


def keys_routes(backend: KeysBackend) -> list[web.AbstractRouteDef]:
    api = _KeysApi(backend)
    return [
        web.get("/keys", answering(backend.slots)),
        web.post("/keys", api.add),
        web.delete("/keys/{kind}", api.remove),
        web.post("/keys/rotate", api.rotate),
        web.post("/unlock", api.unlock),
        web.post("/lock", answering(backend.lock)),
    ]


class _KeysApi:
    def __init__(self, backend: KeysBackend) -> None:
        self._backend = backend

    async def unlock(self, request: web.Request) -> web.Response:
        body = await object_body(request)
        return json_answer(await self._backend.unlock(optional_secret(body)))

    async def add(self, request: web.Request) -> web.Response:
        body = await object_body(request)
        return json_answer(
            await self._backend.add_slot(
                text(body, "kind"),
                secret=given_secret(body),
                new_passphrase=optional_text(body, "new_passphrase"),
            )
        )

    async def remove(self, request: web.Request) -> web.Response:
        return json_answer(await self._backend.remove_slot(request.match_info["kind"]))

    async def rotate(self, request: web.Request) -> web.StreamResponse:
        return await answer_in_lines(request, self._backend.rotate())
