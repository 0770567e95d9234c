"""Routes of `admin.sock` for the sealed backup as a stream.

Turns HTTP into calls of `BackupBackend`. The answer is a row of parts: `j` and a JSON object, or
`d` and bytes of the file, each with its length before it (u32). First what the backup holds, then
the file, last `{"backup": {...}}`, or `{"error": ...}` wherever it failed: an answer without that
last part was cut short.
"""

import struct
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Protocol

from aiohttp import web

from ipc.errors import OperationError
from ipc.exchange import EventStream, encode, log_failure

Json = dict[str, Any]

PART = struct.Struct(">cI")  # kind and length
JSON, DATA = b"j", b"d"
CONTENT_TYPE = "application/x-nightloom-backup"


class BackupBackend(Protocol):
    """Implemented in `daemon/backup_operations.py`. Methods raise `OperationError`."""

    def make(self) -> AsyncGenerator[Json | bytes, None]:
        """What the backup holds, then the file in pieces, last `{"backup": ...}`.

        The last line comes when all pieces were taken. Closing the generator gives it up.
        """
        ...


def backup_routes(backend: BackupBackend) -> list[web.AbstractRouteDef]:
    async def make(request: web.Request) -> web.StreamResponse:
        stream = EventStream(request, content_type=CONTENT_TYPE)
        async with aclosing(backend.make()) as parts:
            first = await anext(parts)  # what is refused at once has a status of its own
            try:
                await stream.open()
                try:
                    await stream.write(part(first))
                    async for some in parts:
                        await stream.write(part(some))
                except ConnectionError:
                    raise
                except Exception as error:
                    await stream.write(part(_error_object(error)))
            except ConnectionError:
                pass  # nobody takes it any more; the backup is given up
        return stream.response

    return [web.post("/backup", make)]


def part(some: Json | bytes) -> bytes:
    kind, data = (DATA, some) if isinstance(some, bytes) else (JSON, encode(some))
    return PART.pack(kind, len(data)) + data


def _error_object(error: Exception) -> Json:
    if not isinstance(error, OperationError):
        log_failure("a backup", error)
        error = OperationError("failed", "nightloom failed at this; its log says where.")
    return {"error": {"message": error.sentence, "code": error.code}}
