"""Routes of `admin.sock` for preview, test, audit and export.

Turns HTTP into calls of `SeeingBackend`.
"""

from typing import Protocol

from aiohttp import web


class SeeingBackend(Protocol):
    """Implemented in `daemon/seeing_operations.py`. Methods raise `OperationError`."""


def seeing_routes(backend: SeeingBackend) -> list[web.AbstractRouteDef]:
    return []
