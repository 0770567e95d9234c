"""Long conversations into stretches that fit a row, cut between turns.

A stretch begins with the last turns of the one before it, and of a conversation that has grown with
the last that are known, as context that is not learned again. What is only context and longer than
half of a row is shortened to its end, which stands nearest to the answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from trainer.conversations import ASSISTANT, USER, role_of
from trainer.cutting import borders_in
from trainer.errors import BadMessages
from trainer.examples import SourceText, Turn

CONTEXT_TURNS = 2
CONTEXT_PART = 4  # of a row, what the turns of context may take: one part in so many
MARKS = 8  # tokens of a template around each turn, where it does not say


class StretchEncoder(Protocol):
    def encode_text(self, text: str) -> list[int]: ...

    def encode_chat(
        self, messages: Sequence[tuple[str, str]], *, reply_follows: bool
    ) -> list[int]: ...


def stretches(source: SourceText, encoder: StretchEncoder, most: int) -> Iterator[list[Turn]]:
    """The turns of a conversation that are new, a row's worth at a time.

    Each holds something to learn and ends with it. A turn that no row holds is not cut here.
    """
    size = _Size(encoder)
    start, end = source.fresh or (0, len(source.turns))
    turns = [_shortened(turn, size, most) for turn in source.turns[start:end] if turn.text.strip()]
    now = _context(source.turns[:start], size, most)
    for number, turn in enumerate(turns):
        if now and sum(map(size.of, [*now, turn])) > most:
            yield from _to_learn(now)
            now = _context(turns[:number], size, most)
        if turn.own and now and _is_context(now[-1]) and role_of(now[-1]) == role_of(turn):
            del now[-1]  # they would become one message, and nobody's own
        now.append(turn)
    yield from _to_learn(now)


def _to_learn(turns: Sequence[Turn]) -> Iterator[list[Turn]]:
    last = max((place for place, turn in enumerate(turns, 1) if turn.own), default=0)
    if last:
        yield list(turns[:last])


def _context(before: Sequence[Turn], size: "_Size", most: int) -> list[Turn]:
    """The last turns, nobody's to learn, from another speaker's on if there is one among them."""
    kept = [
        replace(turn, own=False, role=role_of(turn))
        for turn in before[-CONTEXT_TURNS:]
        if turn.text.strip()
    ]
    if any(role_of(turn) == USER for turn in kept):
        while role_of(kept[0]) == ASSISTANT:
            del kept[0]
    while kept and sum(map(size.of, kept)) > most // CONTEXT_PART:
        del kept[0]
    return kept


def _is_context(turn: Turn) -> bool:
    return not turn.own


def _shortened(turn: Turn, size: "_Size", most: int) -> Turn:
    """What is only context and long, from a sentence in it on."""
    tokens = 0 if turn.own else size.of(turn)
    if tokens <= most // 2:
        return turn
    end = turn.text[len(turn.text) - len(turn.text) * (most // 2) // tokens :]
    return replace(turn, text=end[next(iter(borders_in(end).sentences), 0) :])


class _Size:
    """About how many tokens a turn makes, its marks with it."""

    def __init__(self, encoder: StretchEncoder) -> None:
        self._encoder = encoder
        self._marks = MARKS
        try:
            page = encoder.encode_chat([(USER, "a")], reply_follows=True)
            self._marks = len(page) - len(encoder.encode_text("a"))
        except BadMessages:
            pass

    def of(self, turn: Turn) -> int:
        return self._marks + len(self._encoder.encode_text(turn.text))
