"""Answers of `admin.sock` that come bit by bit: one JSON object a line, and errors as JSON.

What fails before the first line has an HTTP status; an error after it is the last line, so no
entry has a key `error`.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from aiohttp import web

from ipc.errors import OperationError
from ipc.exchange import EventStream, encode, log_failure

Json = dict[str, Any]


async def answer_in_lines(
    request: web.Request, entries: AsyncGenerator[Json, None]
) -> web.StreamResponse:
    """All entries, as they come; none is an empty answer. Hanging up closes `entries`."""
    stream = EventStream(request, content_type="application/x-ndjson")
    async with aclosing(entries):
        first = await anext(entries, None)
        try:
            await stream.open()
            try:
                if first is not None:
                    await stream.write(line(first))
                async for entry in entries:
                    await stream.write(line(entry))
            except ConnectionError:
                raise
            except Exception as error:
                await stream.write(line(error_object(as_operation_error(error))))
        except ConnectionError:
            pass  # nobody listens any more
    return stream.response


def line(entry: Any) -> bytes:
    return encode(entry) + b"\n"


def as_operation_error(error: Exception) -> OperationError:
    if isinstance(error, OperationError):
        return error
    if isinstance(error, web.HTTPException):
        return OperationError("usage", f"admin.sock refused the request: {error.reason}.")
    log_failure("an operation", error)
    return OperationError("failed", "nightloom failed at this; its log says where.")


def error_object(error: OperationError) -> Json:
    return {"error": {"message": error.sentence, "code": error.code}}
