"""Routes of `admin.sock` for retention, quotas, exclusions and pauses.

Turns HTTP into calls of `LimitsBackend`.
"""

from typing import Protocol

from aiohttp import web


class LimitsBackend(Protocol):
    """Implemented in `daemon/limits_operations.py`. Methods raise `OperationError`."""


def limits_routes(backend: LimitsBackend) -> list[web.AbstractRouteDef]:
    return []
