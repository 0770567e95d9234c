"""The running text of one row: drawn tokens in, pieces that can be shown out, and an end.

A piece never holds a part of a character or of a stop string. Chances wait with the text that
they belong to, and those of text that is dropped are dropped with it. Pure; knows nothing of
models, adapters or who listens.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from trainer.base_tokenizer import BaseTokenizer
from trainer.detokenising import Detokeniser
from trainer.sampling import Drawn, SamplingSettings
from trainer.stop_strings import StopStrings

__all__ = ["Drawn", "Ended", "Piece", "RowText", "TokenChance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenChance:
    """A token as it is shown, and how likely it was."""

    token: str = field(repr=False)  # a mark by its name; U+FFFD where it is a part of a character
    bytes: bytes = field(repr=False)  # its UTF-8 in the text; none of a mark
    logprob: float
    likeliest: tuple["TokenChance", ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Text that can be shown; never a part of a character or of a stop string."""

    text: str = field(repr=False)
    chances: tuple[TokenChance, ...] = field(default=(), repr=False)  # where they were asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last event. Tokens count all that were drawn, an end mark left out."""

    reason: Literal["stop", "length", "cancelled"]
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Chances of a token whose text is not shown yet; places are characters of the whole text."""

    chance: TokenChance
    begins: int
    whole: int  # with so many characters shown, all of the token is


class RowText:
    """One row from its first drawn token to its end.

    Args:
        limit: tokens after which the answer is over.
        prompt_tokens: as `Ended` gives them.

    Attributes:
        ended: why no more tokens are wanted; None as long as they are.
    """

    def __init__(
        self,
        tokenizer: BaseTokenizer,
        settings: SamplingSettings,
        limit: int,
        *,
        prompt_tokens: int = 0,
    ) -> None:
        self._tokenizer = tokenizer
        self._limit = limit
        self._prompt_tokens = prompt_tokens
        self._text = Detokeniser(tokenizer)
        self._stops = StopStrings(settings.stop)
        self._waiting: deque[_Waiting] = deque()
        self._made = 0  # characters that are whole
        self._shown = 0  # of them
        self._tokens = 0
        self.ended: Literal["stop", "length"] | None = None

    def push(self, drawn: Drawn) -> Piece | None:
        """What can be shown now; often nothing. Not to be called after the end."""
        if drawn.token in self._tokenizer.stop_ids:
            self.ended = "stop"
            return None
        self._tokens += 1
        opening = self._text.at_start
        begins = self._made
        text = self._text.push(drawn.token)
        self._made += len(text)
        if drawn.chances is not None:
            whole = self._made + (1 if self._text.cut else 0)
            chance = self._spelled(drawn, without_space=opening)
            self._waiting.append(_Waiting(chance, begins, whole))
        shown = self._stops.push(text)
        if self._stops.hit:
            self.ended = "stop"
        elif self._tokens >= self._limit:
            self.ended = "length"
        return self._piece(shown)

    def finish(self) -> tuple[Piece | None, Ended]:
        """What was still held back, and the end; a row that had not ended was cancelled."""
        shown = self._stops.push(self._text.finish()) + self._stops.finish()
        piece = self._piece(shown, last=True)
        return piece, Ended(
            reason="stop" if self._stops.hit else self.ended or "cancelled",
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._tokens,
        )

    def _piece(self, text: str, *, last: bool = False) -> Piece | None:
        self._shown += len(text)
        if not (text or last):
            return None
        chances: list[TokenChance] = []
        while self._waiting and self._is_shown(self._waiting[0], last=last):
            chances.append(self._waiting.popleft().chance)
        return Piece(text=text, chances=tuple(chances)) if text or chances else None

    def _is_shown(self, waiting: _Waiting, *, last: bool) -> bool:
        """All of it, or at the very end a part: a stop string may begin within a token."""
        if not last:
            return waiting.whole <= self._shown
        return not self._stops.hit or waiting.begins < self._shown

    def _spelled(self, drawn: Drawn, *, without_space: bool) -> TokenChance:
        assert drawn.chances is not None
        others = tuple(
            self._chance(token, logprob, without_space=without_space)
            for token, logprob in drawn.chances.likeliest
        )
        own = self._chance(drawn.token, drawn.chances.logprob, without_space=without_space)
        return TokenChance(token=own.token, bytes=own.bytes, logprob=own.logprob, likeliest=others)

    def _chance(self, token: int, logprob: float, *, without_space: bool) -> TokenChance:
        spelled = self._tokenizer.token_bytes(token)
        if without_space:
            spelled = spelled.removeprefix(b" ")
        name = spelled.decode(errors="replace") if spelled else self._tokenizer.mark_name(token)
        return TokenChance(token=name, bytes=spelled, logprob=logprob)
