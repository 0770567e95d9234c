"""An answer as it comes over the wire, as values: what is in the lines of an event stream. Pure.

Beside `Loading` and `TokenChance` of `inference.py`, which mean the same on both sides, these are
the client's: what it is told, no more.
"""

import http.client
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ipc.client_calls import error_in, parsed
from ipc.errors import (
    AdapterWithdrawn,
    AnswerCutShort,
    EngineUnavailable,
    IpcError,
    PromptTooLong,
    QueueFull,
    RequestError,
    UnknownAnswer,
    UnknownModel,
    VaultLocked,
)
from ipc.inference import Loading, TokenChance

Json = dict[str, Any]

LOADING = re.compile(rb":\s*loading\s+([0-9.]{1,20})\s*(%?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Admitted: the answer's id, for feedback, and the version that answers."""

    id: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A piece of one choice."""

    text: str = field(repr=False)
    choice: int = 0
    chances: tuple[TokenChance, ...] = field(default=(), repr=False)  # where they were asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One choice is complete."""

    reason: str  # "stop" or "length"
    choice: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The counts, last; of all choices together."""

    prompt_tokens: int
    completion_tokens: int


AnswerEvent = Loading | Begun | Text | Ended | Usage


def answer_events(lines: Iterator[bytes]) -> Iterator[AnswerEvent]:
    """Raises a RequestError that the stream carries, or AnswerCutShort when it has no end."""
    begun = False
    for line in lines:
        if (share := loading_share(line)) is not None:
            yield Loading(share=share)
        if not line.startswith(b"data: "):
            continue  # an empty line, a ping, or a comment of another kind
        event = line.removeprefix(b"data: ").strip()
        if event == b"[DONE]":
            return
        chunk = parsed(event)
        if not isinstance(chunk, dict):
            raise AnswerCutShort
        if "error" in chunk:
            raise request_error(http.client.OK, chunk)
        if not begun and isinstance(chunk.get("id"), str):
            begun = True
            yield Begun(id=chunk["id"], model=str(chunk.get("model", "")))
        yield from _in_chunk(chunk)
    raise AnswerCutShort


def loading_share(line: bytes) -> float | None:
    """In a comment such as `: loading 0.4` or `: loading 40 %`."""
    found = LOADING.match(line)
    if found is None:
        return None
    try:
        share = float(found[1]) / (100 if found[2] else 1)
    except ValueError:
        return None
    return min(max(share, 0.0), 1.0)


def _in_chunk(chunk: Json) -> Iterator[AnswerEvent]:
    try:
        for choice in chunk.get("choices") or ():
            number = int(choice.get("index", 0))
            text = choice["delta"].get("content") if "delta" in choice else choice["text"]
            chances = _chances(choice.get("logprobs"))
            if text or chances:
                yield Text(text=text or "", choice=number, chances=chances)
            if choice.get("finish_reason"):
                yield Ended(reason=str(choice["finish_reason"]), choice=number)
        if usage := chunk.get("usage"):
            yield Usage(
                prompt_tokens=int(usage["prompt_tokens"]),
                completion_tokens=int(usage["completion_tokens"]),
            )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise AnswerCutShort from None


def _chances(logprobs: Any) -> tuple[TokenChance, ...]:
    """Of a chat. What `/v1/completions` gives is of another shape and is left out."""
    listed = logprobs.get("content") if isinstance(logprobs, dict) else None
    return tuple(_chance(one) for one in listed or ())


def _chance(one: Json) -> TokenChance:
    return TokenChance(
        token=str(one["token"]),
        bytes=tuple(one.get("bytes") or ()),
        logprob=float(one["logprob"]),
        likeliest=tuple(_chance(other) for other in one.get("top_logprobs") or ()),
    )


# --------------------------------------------------------------------------- errors


def request_error(status: int, answer: Any, *, retry_after: str | None = None) -> IpcError:
    """The error that an answer, or an event in the middle of one, carries."""
    error = error_in(answer)
    message = str(error.get("message", ""))
    code = error.get("code")
    if code == "queue_full" and retry_after is not None and retry_after.isdecimal():
        return QueueFull(message, retry_after=int(retry_after))
    if code in REQUEST_ERRORS:
        return REQUEST_ERRORS[code](message)
    return RequestError(
        message,
        status=status,
        type=str(error.get("type", "server_error")),
        code=code,
        param=error.get("param"),
    )


REQUEST_ERRORS: dict[Any, Callable[[str], RequestError]] = {
    "context_length_exceeded": PromptTooLong,
    "model_not_found": UnknownModel,
    "answer_not_found": UnknownAnswer,
    "queue_full": QueueFull,
    "engine_unavailable": EngineUnavailable,
    "adapter_withdrawn": AdapterWithdrawn,
    "vault_locked": VaultLocked,
}
