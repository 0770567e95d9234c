"""What a client may ask of the model, and what the service must be able to answer.

Plain values between `inference_api.py` (HTTP) and whoever owns the engine (`daemon`). Knows
nothing of HTTP, torch or the vault. Messages and prompts have `repr=False`: they are private.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    role: Literal["system", "user", "assistant"]
    content: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are drawn. `temperature` 0 is greedy. The defaults are the QLoRA paper's."""

    max_tokens: int | None = None  # None: to the end of the context
    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int | None = None  # None: all
    min_p: float = 0.0  # of the likeliest token's probability
    repetition_penalty: float = 1.0  # divides, over prompt and answer
    presence_penalty: float = 0.0  # subtracted once, over the answer
    frequency_penalty: float = 0.0  # subtracted for each time, over the answer
    seed: int | None = None
    stop: tuple[str, ...] = field(default=(), repr=False)
    logprobs: int | None = None  # so many likeliest tokens beside each drawn one; None: not at all


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """One request; exactly one of `messages` and `prompt` is set."""

    model: str  # "personal", "personal@<sha12>" or "base"
    messages: tuple[ChatMessage, ...] | None = field(default=None, repr=False)
    prompt: str | None = field(default=None, repr=False)
    sampling: Sampling = Sampling()
    choices: int = 1  # answers to the same prompt; OpenAI's `n`
    client: str = ""  # who asks, for turns that are fair between clients: a process, a key
    train_allowed: bool = True  # False with `X-No-Train: 1`


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """Before `Started`, any number of times: the engine starts, or reads its base."""

    share: float  # 0 to 1 of it is done


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Admitted: the model version that will answer, pinned, and the length of the prompt."""

    model: str  # "base" or "personal@<sha12>"
    prompt_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenChance:
    """A token and how likely it was, before temperature and cuts."""

    token: str = field(repr=False)
    bytes: tuple[int, ...] = field(repr=False)  # its UTF-8, also where that is no whole character
    logprob: float
    likeliest: tuple["TokenChance", ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPiece:
    text: str = field(repr=False)
    choice: int = 0
    chances: tuple[TokenChance, ...] = field(default=(), repr=False)  # where they were asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """One choice has ended; the generation ends with the last of them."""

    reason: Literal["stop", "length"]
    completion_tokens: int
    choice: int = 0


GenerationEvent = Loading | Started | TextPiece | Finished


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One line of `/v1/models`."""

    id: str
    created: int  # seconds since the epoch
    sha256: str | None = None  # of the adapter; None for the base
    parent: str | None = None
    trained_at: int | None = None
    status: str | None = None


class InferenceBackend(Protocol):
    """Implemented in `daemon`; the tests of `ipc` fill it with functions.

    `generate` yields `Loading`s, one `Started`, pieces, one `Finished` for each choice; it raises a
    `RequestError` (see `ipc/errors.py`) before `Started` for bad requests and at any time when the
    engine dies.
    Closing the generator cancels the generation.
    """

    async def models(self) -> list[ModelInfo]: ...

    def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]: ...
