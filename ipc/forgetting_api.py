"""Routes of `admin.sock` for what is to be forgotten, and what that costs.

Turns HTTP into calls of `ForgettingBackend`.
"""

from typing import Protocol

from aiohttp import web


class ForgettingBackend(Protocol):
    """Implemented in `daemon/forgetting_operations.py`. Methods raise `OperationError`."""


def forgetting_routes(backend: ForgettingBackend) -> list[web.AbstractRouteDef]:
    return []
