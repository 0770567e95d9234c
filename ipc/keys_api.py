"""Routes of `admin.sock` for the key slots, unlocking and locking, rotation.

Turns HTTP into calls of `KeysBackend`.
"""

from typing import Protocol

from aiohttp import web


class KeysBackend(Protocol):
    """Implemented in `daemon/keys_operations.py`. Methods raise `OperationError`."""


def keys_routes(backend: KeysBackend) -> list[web.AbstractRouteDef]:
    return []
