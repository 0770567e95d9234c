"""Fields of a JSON body, checked: a wrong one is named, what it held is never repeated. Pure."""

import math
from typing import Any

from ipc.errors import BadRequest

Json = dict[str, Any]


def integer(
    body: Json, name: str, *, low: int, high: int | None = None, otherwise: int | None = None
) -> int | None:
    """Raises BadRequest, as all here do."""
    given = body.get(name)
    if given is None:
        return otherwise
    if not isinstance(given, int) or isinstance(given, bool):
        raise wrong(name, "must be an integer")
    if given < low or (high is not None and given > high):
        bounds = f"at least {low}" if high is None else f"between {low} and {high}"
        raise wrong(name, f"must be {bounds}")
    return given


def number(body: Json, name: str, *, low: float, high: float, otherwise: float) -> float:
    given = body.get(name)
    if given is None:
        return otherwise
    if not isinstance(given, int | float) or isinstance(given, bool):
        raise wrong(name, "must be a number")
    if not (low <= given <= high) or not math.isfinite(given):
        raise wrong(name, f"must be between {low:g} and {high:g}")
    return float(given)


def flag(body: Json, name: str, where: str) -> bool:
    given = body.get(name)
    if given is not None and not isinstance(given, bool):
        raise wrong(where, "must be true or false")
    return bool(given)


def well_formed(text: str, where: str) -> str:
    """JSON can escape half of a surrogate pair, which is no character and has no UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise wrong(where, "holds half of a surrogate pair, which is not text") from None
    return text


def wrong(param: str, complaint: str) -> BadRequest:
    return BadRequest(f"`{param}` {complaint}.", param=param)
