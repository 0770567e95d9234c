"""OpenAI's JSON, read and written: bodies to `GenerationRequest`, events to answers.

Pure: no HTTP, no clock. Unknown fields are tolerated, as OpenAI does; a known field of a wrong
type or out of range is a `BadRequest` that names it and never repeats what it held.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ipc.errors import BadRequest, RequestError
from ipc.inference import ChatMessage, Finished, GenerationRequest, ModelInfo, Sampling

Json = dict[str, Any]
Role = Literal["system", "user", "assistant"]

# `developer` is what OpenAI calls the system's role since 2025.
ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
STOP_LIMIT = 4  # OpenAI's
SEED_BITS = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerForm:
    """How the client wants its answer."""

    stream: bool = False
    include_usage: bool = False  # a last chunk with the counts; only of a stream


# --------------------------------------------------------------------------- requests


def chat_request(body: Json, *, train_allowed: bool) -> GenerationRequest:
    """Raises BadRequest."""
    return GenerationRequest(
        model=model_name(body),
        messages=messages(body),
        sampling=sampling(body, max_tokens_fields=("max_completion_tokens", "max_tokens")),
        train_allowed=train_allowed,
    )


def completion_request(body: Json, *, train_allowed: bool) -> GenerationRequest:
    """Raises BadRequest."""
    return GenerationRequest(
        model=model_name(body),
        prompt=prompt(body),
        sampling=sampling(body, max_tokens_fields=("max_tokens",)),
        train_allowed=train_allowed,
    )


def answer_form(body: Json) -> AnswerForm:
    """Raises BadRequest."""
    options = body.get("stream_options")
    if options is None:
        options = {}
    if not isinstance(options, dict):
        raise wrong("stream_options", "must be an object")
    return AnswerForm(
        stream=flag(body, "stream", "stream"),
        include_usage=flag(options, "include_usage", "stream_options.include_usage"),
    )


def model_name(body: Json) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise wrong("model", "must be the name of a model: `personal` or `base`")
    return well_formed(model, "model")


def messages(body: Json) -> tuple[ChatMessage, ...]:
    given = body.get("messages")
    if not isinstance(given, list) or not given:
        raise wrong("messages", "must be a list of at least one message")
    return tuple(message(entry, f"messages[{index}]") for index, entry in enumerate(given))


def message(entry: Any, where: str) -> ChatMessage:
    if not isinstance(entry, dict):
        raise wrong(where, "must be an object with `role` and `content`")
    role = entry.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise wrong(f"{where}.role", "must be `system`, `user` or `assistant`")
    return ChatMessage(role=ROLES[role], content=content(entry.get("content"), f"{where}.content"))


def content(given: Any, where: str) -> str:
    """A string, or text parts, which are joined."""
    if isinstance(given, str):
        return well_formed(given, where)
    if not isinstance(given, list):
        raise wrong(where, "must be a string or a list of text parts")
    texts: list[str] = []
    for index, part in enumerate(given):
        if not isinstance(part, dict) or part.get("type") != "text":
            raise wrong(f"{where}[{index}]", "must be a part of type `text`; nothing else is read")
        text = part.get("text")
        if not isinstance(text, str):
            raise wrong(f"{where}[{index}].text", "must be a string")
        texts.append(well_formed(text, f"{where}[{index}].text"))
    return "".join(texts)


def prompt(body: Json) -> str:
    given = body.get("prompt")
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if not isinstance(given, str):
        raise wrong("prompt", "must be one string")
    return well_formed(given, "prompt")


def sampling(body: Json, *, max_tokens_fields: tuple[str, ...]) -> Sampling:
    if integer(body, "n", low=1, high=1, otherwise=1) != 1:
        raise AssertionError  # `integer` has refused it
    defaults = Sampling()
    temperature = number(body, "temperature", low=0.0, high=2.0, otherwise=defaults.temperature)
    top_p = number(body, "top_p", low=0.0, high=1.0, otherwise=defaults.top_p)
    if top_p == 0.0:  # only the likeliest token is left: greedy by another name
        temperature, top_p = 0.0, 1.0
    lengths = [integer(body, name, low=1) for name in max_tokens_fields]
    return Sampling(
        max_tokens=next((length for length in lengths if length is not None), None),
        temperature=temperature,
        top_p=top_p,
        seed=integer(body, "seed", low=-(2**SEED_BITS), high=2**SEED_BITS - 1),
        stop=stop(body),
    )


def stop(body: Json) -> tuple[str, ...]:
    given = body.get("stop")
    if given is None:
        return ()
    strings = [given] if isinstance(given, str) else given
    if not isinstance(strings, list) or len(strings) > STOP_LIMIT:
        raise wrong("stop", f"must be a string or a list of at most {STOP_LIMIT} strings")
    if not all(isinstance(string, str) and string for string in strings):
        raise wrong("stop", "must hold strings that are not empty")
    return tuple(well_formed(string, "stop") for string in strings)


def integer(
    body: Json, name: str, *, low: int, high: int | None = None, otherwise: int | None = None
) -> int | None:
    given = body.get(name)
    if given is None:
        return otherwise
    if not isinstance(given, int) or isinstance(given, bool):
        raise wrong(name, "must be an integer")
    if given < low or (high is not None and given > high):
        bounds = f"at least {low}" if high is None else f"between {low} and {high}"
        raise wrong(name, f"must be {low}" if low == high else f"must be {bounds}")
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


# --------------------------------------------------------------------------- answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What all parts of one answer carry."""

    id: str
    created: int  # seconds since the epoch
    model: str  # the pinned version
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class ChatAnswers:
    """The shapes of `/v1/chat/completions`."""

    id_prefix = "chatcmpl-"

    def whole(self, stamp: Stamp, text: str, end: Finished) -> Json:
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": None,
            "finish_reason": end.reason,
        }
        return answer("chat.completion", stamp, choice) | {"usage": usage(stamp, end)}

    def opening(self, stamp: Stamp) -> Json | None:
        return self._chunk(stamp, {"role": "assistant", "content": ""}, None)

    def piece(self, stamp: Stamp, text: str) -> Json:
        return self._chunk(stamp, {"content": text}, None)

    def closing(self, stamp: Stamp, end: Finished) -> Json:
        return self._chunk(stamp, {}, end.reason)

    def counts(self, stamp: Stamp, end: Finished) -> Json:
        return answer("chat.completion.chunk", stamp) | {"usage": usage(stamp, end)}

    def _chunk(self, stamp: Stamp, delta: Json, reason: str | None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return answer("chat.completion.chunk", stamp, choice)


@dataclass(frozen=True, slots=True)
class CompletionAnswers:
    """The shapes of `/v1/completions`."""

    id_prefix = "cmpl-"

    def whole(self, stamp: Stamp, text: str, end: Finished) -> Json:
        return self._answer(stamp, text, end.reason) | {"usage": usage(stamp, end)}

    def opening(self, stamp: Stamp) -> Json | None:
        return None

    def piece(self, stamp: Stamp, text: str) -> Json:
        return self._answer(stamp, text, None)

    def closing(self, stamp: Stamp, end: Finished) -> Json:
        return self._answer(stamp, "", end.reason)

    def counts(self, stamp: Stamp, end: Finished) -> Json:
        return answer("text_completion", stamp) | {"usage": usage(stamp, end)}

    def _answer(self, stamp: Stamp, text: str, reason: str | None) -> Json:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}
        return answer("text_completion", stamp, choice)


def answer(kind: str, stamp: Stamp, *choices: Json) -> Json:
    return {
        "id": stamp.id,
        "object": kind,
        "created": stamp.created,
        "model": stamp.model,
        "choices": list(choices),
    }


def usage(stamp: Stamp, end: Finished) -> Json:
    return {
        "prompt_tokens": stamp.prompt_tokens,
        "completion_tokens": end.completion_tokens,
        "total_tokens": stamp.prompt_tokens + end.completion_tokens,
    }


def model_object(info: ModelInfo) -> Json:
    return {
        "id": info.id,
        "object": "model",
        "created": info.created,
        "owned_by": "nightloom",
        "sha256": info.sha256,
        "parent": info.parent,
        "trained_at": info.trained_at,
        "status": info.status,
    }


def model_list(infos: Iterable[ModelInfo]) -> Json:
    return {"object": "list", "data": [model_object(info) for info in infos]}


def error_object(error: RequestError) -> Json:
    return {
        "error": {
            "message": error.message,
            "type": error.type,
            "param": error.param,
            "code": error.code,
        }
    }
