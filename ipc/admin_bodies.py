"""What the routes of `admin.sock` share: reading a JSON body, and handlers that take nothing."""

import math
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from ipc.errors import OperationError
from ipc.exchange import json_answer, json_body

Json = dict[str, Any]


def answering(operation: Callable[[], Awaitable[Any]]) -> Handler:
    """A handler for an operation that takes nothing."""

    async def handler(_request: web.Request) -> web.Response:
        return json_answer(await operation())

    return handler


async def object_body(request: web.Request) -> Json:
    try:
        body = await json_body(request)
    except ValueError:
        raise OperationError("usage", "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise OperationError("usage", "The body must be a JSON object.")
    return body


def text(body: Json, name: str) -> str:
    given = body.get(name)
    if not isinstance(given, str) or not given:
        raise OperationError("usage", f"`{name}` must be a string that is not empty.")
    return given


def optional_text(body: Json, name: str) -> str | None:
    return None if body.get(name) is None else text(body, name)


def texts(body: Json, name: str) -> list[str]:
    given = body.get(name)
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise OperationError("usage", f"`{name}` must be a list of strings.")
    return given


def pause_seconds(body: Json) -> float | None:
    """How long a pause is; None is without an end."""
    seconds = body.get("seconds")
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if seconds is not None and not (number and math.isfinite(seconds) and 0 < seconds <= 1e9):
        raise OperationError("usage", "`seconds` must be a number above 0.")
    return seconds


def choice(body: Json, name: str, *, otherwise: bool) -> bool:
    """Yes or no; `otherwise` where nothing was said."""
    given = body.get(name)
    if given is None:
        return otherwise
    if not isinstance(given, bool):
        raise OperationError("usage", f"`{name}` must be true or false.")
    return given
