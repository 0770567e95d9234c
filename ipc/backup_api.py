"""Routes of `admin.sock` for the sealed backup as a stream.

Turns HTTP into calls of `BackupBackend`.
"""

from typing import Protocol

from aiohttp import web


class BackupBackend(Protocol):
    """Implemented in `daemon/backup_operations.py`. Methods raise `OperationError`."""


def backup_routes(backend: BackupBackend) -> list[web.AbstractRouteDef]:
    return []
