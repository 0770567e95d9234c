"""What both HTTP applications share: a JSON body in, failures that tell nothing private.

Request and answer texts never reach a log: there is no access log, and an unforeseen exception
is logged by its type and place only, since its message may hold what a client sent.
"""

import asyncio
import json
import logging
import traceback
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

Event = TypeVar("Event")

log = logging.getLogger(__name__)

# A request's body that trickles in does not hold its connection for ever.
BODY_SECONDS = 30.0
# A client that stopped reading its stream frees the model for the others.
STALLED_SECONDS = 60.0

NO_STORE = {"Cache-Control": "no-store"}


async def json_body(request: web.Request) -> Any:
    """The parsed body.

    Raises:
        ValueError: it is not JSON.
        web.HTTPException: as for `whole_body`.
    """
    encoded = await whole_body(request)
    try:
        return json.loads(encoded.decode("utf-8"), parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None


async def whole_body(request: web.Request) -> bytes:
    """The body as it was sent.

    Raises:
        web.HTTPRequestEntityTooLarge: over the application's `client_max_size`.
        web.HTTPRequestTimeout: it took longer than BODY_SECONDS.
    """
    limit = request.client_max_size
    if request.content_length is not None and request.content_length > limit:
        raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=request.content_length)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


def refuse_constant(_constant: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def json_answer(
    answer: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=encode(answer),
        status=status,
        content_type="application/json",
        headers=NO_STORE | (headers or {}),
    )


def encode(answer: Any) -> bytes:
    """ASCII, for some clients cut lines at U+2028 and its like."""
    return json.dumps(answer, separators=(",", ":")).encode("ascii")


class EventStream:
    """A body that is written while its contents come to be."""

    def __init__(self, request: web.Request, *, content_type: str) -> None:
        self._request = request
        self.response = web.StreamResponse(headers=NO_STORE | {"Content-Type": content_type})

    async def open(self) -> None:
        await self.response.prepare(self._request)

    async def write(self, piece: bytes) -> None:
        """Raises ConnectionError when the client is gone, or takes nothing for a minute."""
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                await self.response.write(piece)
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionResetError from None


async def heartbeat(
    events: AsyncGenerator[Event, None], seconds: float
) -> AsyncGenerator[Event | None, None]:
    """The events, and None whenever `seconds` went by without one. Closing it closes `events`."""
    coming: asyncio.Task[Event] | None = None
    try:
        while True:
            coming = asyncio.create_task(next_of(events))
            while not (await asyncio.wait({coming}, timeout=seconds))[0]:
                yield None
            try:
                event = coming.result()
            except StopAsyncIteration:
                return
            yield event
    finally:
        if coming is not None:
            coming.cancel()  # does nothing to one that is done
            await asyncio.wait({coming})
            if not coming.cancelled():
                coming.exception()  # seen: else asyncio logs it, text and all
        await events.aclose()


async def next_of(events: AsyncGenerator[Event, None]) -> Event:
    return await anext(events)


def log_failure(what: str, error: BaseException) -> None:
    """Type and place of an unforeseen failure, for the log; not its message, not its values."""
    places = traceback.extract_tb(error.__traceback__)
    place = f"{Path(places[-1].filename).name}:{places[-1].lineno}" if places else "?"
    log.error("%s failed: %s at %s", what, type(error).__name__, place)


class NoPrivateText(logging.Filter):
    """Keeps what aiohttp has to say about a broken request to the type of the failure."""

    def filter(self, record: logging.LogRecord) -> bool:
        failure = record.exc_info[0] if record.exc_info else None
        record.msg = "HTTP: %s"
        record.args = (failure.__name__ if failure else record.levelname.lower(),)
        record.exc_info = None
        record.exc_text = None
        return True


http_log = logging.getLogger(f"{__name__}.http")
http_log.addFilter(NoPrivateText())
