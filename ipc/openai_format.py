"""OpenAI's JSON of what the model answers: whole answers, chunks of streams, models, errors.

Pure: no HTTP, no clock.
"""

import codecs
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ipc.errors import RequestError
from ipc.inference import Finished, ModelInfo, TextPiece, TokenChance
from ipc.json_fields import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What all parts of one answer carry."""

    id: str
    created: int  # seconds since the epoch
    model: str  # the pinned version


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Tokens of all prompts, each once, and of all choices."""

    prompt: int
    completion: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeChoice:
    """A choice that has ended; the piece is all of it."""

    piece: TextPiece
    end: Finished


# --------------------------------------------------------------------------- chats


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAnswers:
    """The shapes of `/v1/chat/completions`."""

    chances: bool = False  # they were asked for

    id_prefix = "chatcmpl-"

    def whole(self, stamp: Stamp, choices: Sequence[WholeChoice], counts: Counts) -> Json:
        listed = [
            {
                "index": choice.end.choice,
                "message": {"role": "assistant", "content": choice.piece.text, "refusal": None},
                "logprobs": self._logprobs(choice.piece),
                "finish_reason": choice.end.reason,
            }
            for choice in choices
        ]
        return answer("chat.completion", stamp, *listed) | {"usage": usage(counts)}

    def opening(self, stamp: Stamp, choice: int) -> Json | None:
        return self._chunk(stamp, choice, {"role": "assistant", "content": ""})

    def piece(self, stamp: Stamp, piece: TextPiece) -> Json:
        delta = {"content": piece.text}
        return self._chunk(stamp, piece.choice, delta, logprobs=self._logprobs(piece))

    def closing(self, stamp: Stamp, end: Finished) -> Json:
        return self._chunk(stamp, end.choice, {}, reason=end.reason)

    def counts(self, stamp: Stamp, counts: Counts) -> Json:
        return answer("chat.completion.chunk", stamp) | {"usage": usage(counts)}

    def _chunk(
        self,
        stamp: Stamp,
        choice: int,
        delta: Json,
        *,
        logprobs: Json | None = None,
        reason: str | None = None,
    ) -> Json:
        only = {"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return answer("chat.completion.chunk", stamp, only)

    def _logprobs(self, piece: TextPiece) -> Json | None:
        if not self.chances:
            return None
        listed = [
            _chance(chance) | {"top_logprobs": [_chance(other) for other in chance.likeliest]}
            for chance in piece.chances
        ]
        return {"content": listed, "refusal": None}


def _chance(chance: TokenChance) -> Json:
    known = list(chance.bytes) or None  # a mark has none
    return {"token": chance.token, "logprob": chance.logprob, "bytes": known}


# --------------------------------------------------------------------------- completions


class CompletionAnswers:
    """The shapes of `/v1/completions`, of one answer: places in the text are counted on.

    Args:
        chances: they were asked for.
        echoed: what stands before each choice, by its number.
    """

    id_prefix = "cmpl-"

    def __init__(self, *, chances: bool = False, echoed: Sequence[str] = ()) -> None:
        self._chances = chances
        self._echoed = echoed
        self._places: defaultdict[int, _Places] = defaultdict(_Places)

    def whole(self, stamp: Stamp, choices: Sequence[WholeChoice], counts: Counts) -> Json:
        listed = [
            self._choice(
                choice.end.choice,
                self._echo(choice.end.choice) + choice.piece.text,
                logprobs=self._logprobs(choice.piece),
                reason=choice.end.reason,
            )
            for choice in choices
        ]
        return answer("text_completion", stamp, *listed) | {"usage": usage(counts)}

    def opening(self, stamp: Stamp, choice: int) -> Json | None:
        text = self._echo(choice)
        return self._chunk(stamp, self._choice(choice, text)) if text else None

    def piece(self, stamp: Stamp, piece: TextPiece) -> Json:
        logprobs = self._logprobs(piece)
        return self._chunk(stamp, self._choice(piece.choice, piece.text, logprobs=logprobs))

    def closing(self, stamp: Stamp, end: Finished) -> Json:
        return self._chunk(stamp, self._choice(end.choice, "", reason=end.reason))

    def counts(self, stamp: Stamp, counts: Counts) -> Json:
        return answer("text_completion", stamp) | {"usage": usage(counts)}

    def _echo(self, choice: int) -> str:
        return self._echoed[choice] if self._echoed else ""

    def _chunk(self, stamp: Stamp, choice: Json) -> Json:
        return answer("text_completion", stamp, choice)

    def _choice(
        self, choice: int, text: str, *, logprobs: Json | None = None, reason: str | None = None
    ) -> Json:
        return {"index": choice, "text": text, "logprobs": logprobs, "finish_reason": reason}

    def _logprobs(self, piece: TextPiece) -> Json | None:
        """Parallel lists. The drawn token is among the likeliest, as OpenAI has it."""
        if not self._chances:
            return None
        places = self._places[piece.choice]
        return {
            "tokens": [_spelled(chance) for chance in piece.chances],
            "token_logprobs": [chance.logprob for chance in piece.chances],
            "top_logprobs": [
                {_spelled(one): one.logprob for one in (*chance.likeliest, chance)}
                for chance in piece.chances
            ],
            "text_offset": [places.next(chance) for chance in piece.chances],
        }


@dataclass(slots=True)
class _Places:
    """Where in a text its tokens begin."""

    _utf8: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")(errors="replace")
    )
    _characters: int = 0

    def next(self, chance: TokenChance) -> int:
        """Characters that are whole before this token."""
        place = self._characters
        self._characters += len(self._utf8.decode(bytes(chance.bytes)))
        return place


def _spelled(chance: TokenChance) -> str:
    """A token as a key: OpenAI writes those that are no text as `bytes:` and their bytes."""
    raw = bytes(chance.bytes)
    try:
        raw.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)
    return chance.token


# --------------------------------------------------------------------------- both


def answer(kind: str, stamp: Stamp, *choices: Json) -> Json:
    return {
        "id": stamp.id,
        "object": kind,
        "created": stamp.created,
        "model": stamp.model,
        "choices": list(choices),
    }


def usage(counts: Counts) -> Json:
    return {
        "prompt_tokens": counts.prompt,
        "completion_tokens": counts.completion,
        "total_tokens": counts.prompt + counts.completion,
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


def error_object(error: RequestError) -> dict[str, Any]:
    return {
        "error": {
            "message": error.message,
            "type": error.type,
            "param": error.param,
            "code": error.code,
        }
    }
