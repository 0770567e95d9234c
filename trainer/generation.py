"""A prompt in, text out while it is made; and the base's own samples.

Ends at an end mark, at a stop string, at the wanted length, at the end of the context, or when
nobody listens any more. Knows nothing of sockets, adapters' names or who asked.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import numpy as np
import numpy.typing as npt
import torch

from trainer.base_model import BaseModel
from trainer.border import OPEN, Border, BorderReached
from trainer.decoding import Activate, Decoder
from trainer.errors import PromptEmpty, PromptTooLong
from trainer.row_text import Ended, Piece, RowText
from trainer.sampling import Drawn, SamplingSettings, Seen, choose, draw, generator_for

__all__ = ["Ended", "Piece", "check_prompt", "generate", "sample_rows"]

PREFILL_TOKENS = 512  # between two looks at `should_stop`


def check_prompt(base: BaseModel, prompt: Sequence[int]) -> None:
    """Whether the base can answer at all.

    Raises:
        PromptTooLong, PromptEmpty
    """
    if not prompt:
        raise PromptEmpty()
    if len(prompt) >= base.context_tokens:
        raise PromptTooLong(len(prompt), base.context_tokens - 1)


def generate(
    base: BaseModel,
    prompt: Sequence[int],
    settings: SamplingSettings,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    between_tokens: Callable[[], None] = lambda: None,
    activate: Activate = nullcontext,
) -> Iterator[Piece | Ended]:
    """Continue a prompt: pieces of text, then one `Ended`.

    Args:
        prompt: token ids, from `BaseTokenizer.encode_prompt` or `encode_chat`.
        should_stop: asked before every token and every 512 tokens of the prompt.
        between_tokens: called at the same places; other work may use the model there.
        activate: makes the wanted adapter the active one; entered around each pass only.

    Raises:
        PromptTooLong, PromptEmpty: before the first pass.
    """
    check_prompt(base, prompt)
    room = base.context_tokens - len(prompt)
    limit = min(settings.max_tokens or room, room)
    return _pieces(base, prompt, settings, limit, should_stop, between_tokens, activate)


def _pieces(
    base: BaseModel,
    prompt: Sequence[int],
    settings: SamplingSettings,
    limit: int,
    should_stop: Callable[[], bool],
    between_tokens: Callable[[], None],
    activate: Activate,
) -> Iterator[Piece | Ended]:
    text = RowText(base.tokenizer, settings, limit, prompt_tokens=len(prompt))
    for drawn in _drawn(base, prompt, settings, should_stop, between_tokens, activate):
        if (piece := text.push(drawn)) is not None:
            yield piece
        if text.ended is not None:
            break
    rest, ended = text.finish()
    if rest is not None:
        yield rest
    yield ended


def _drawn(
    base: BaseModel,
    prompt: Sequence[int],
    settings: SamplingSettings,
    should_stop: Callable[[], bool],
    between_tokens: Callable[[], None],
    activate: Activate,
) -> Iterator[Drawn]:
    """Tokens until nobody asks for another, or it is told to stop."""
    decoder = Decoder(base.model, activate=activate, expected_tokens=len(prompt))
    generator = generator_for(settings.seed, base.device)
    vocabulary = base.tokenizer.vocabulary
    seen = Seen(prompt, vocabulary, device=base.device)
    logits = None
    for start in range(0, len(prompt), PREFILL_TOKENS):
        between_tokens()
        if should_stop():
            return
        logits = decoder.prefill([prompt[start : start + PREFILL_TOKENS]])
    assert logits is not None
    while True:
        drawn = draw(logits[:, :vocabulary], settings, generator, seen)
        yield drawn
        between_tokens()
        if should_stop():
            return
        logits = decoder.step(torch.tensor([drawn.token], device=base.device))


def sample_rows(
    base: BaseModel,
    count: int,
    tokens: int,
    seed: int,
    *,
    rows_at_once: int = 96,
    between_tokens: Callable[[], None] = lambda: None,
    activate: Activate = nullcontext,
    border: Border = OPEN,
) -> npt.NDArray[np.int32]:
    """The base's own text at temperature 1; the same for the same seed.

    Every fourth row begins with the begin mark, as documents and chats do. The others begin with
    a token drawn from the vocabulary, without which all rows would tell of the few kinds of text
    that have a begin mark (LLM-QAT, arXiv 2305.17888, section 2). Where a text ends within a
    row, the row goes on as the base itself goes on after its end mark.

    Args:
        activate: must switch adapters off where there are any.
        border: where a pass may be dropped; after `between_tokens` it is tried again.

    Returns:
        (count, tokens) int32.
    """
    plain = SamplingSettings(temperature=1.0, top_p=1.0)
    generator = generator_for(seed, base.device)
    rows = np.zeros((count, tokens), dtype=np.int32)
    rows[:, 0] = _beginnings(base, count, generator)
    for start in range(0, count, rows_at_once):
        part = rows[start : start + rows_at_once]
        decoder = Decoder(base.model, activate=activate, border=border)
        beginning = [[int(first)] for first in part[:, 0]]
        logits = _patiently(lambda: decoder.prefill(beginning), between_tokens)  # noqa: B023
        for place in range(1, tokens):
            token = choose(logits[:, : base.tokenizer.vocabulary], plain, generator)
            part[:, place] = token.cpu().numpy()
            between_tokens()
            if place + 1 < tokens:
                logits = _patiently(lambda: decoder.step(token), between_tokens)  # noqa: B023
    return rows


def _patiently(one: Callable[[], torch.Tensor], between: Callable[[], None]) -> torch.Tensor:
    """A pass that is begun again for as long as it is dropped."""
    while True:
        try:
            return one()
        except BorderReached:
            between()


def _beginnings(base: BaseModel, count: int, generator: torch.Generator) -> npt.NDArray[np.int32]:
    """First tokens of `count` samples: (count,) int32."""
    tokenizer = base.tokenizer
    ordinary = [token for token in range(tokenizer.vocabulary) if tokenizer.token_bytes(token)]
    drawn = torch.randint(
        len(ordinary), (count,), generator=generator, device=generator.device
    ).tolist()
    first = np.array([ordinary[number] for number in drawn], dtype=np.int32)
    if tokenizer.begin_id is not None:
        first[::4] = tokenizer.begin_id
    return first
