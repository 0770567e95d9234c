"""In which order a night reads its examples: new text in passes, replay and general text beside.

Pure: examples in, examples in order out. The same seed gives the same order, which exact resume
relies on.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from trainer.examples import Row, TrainingExample


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Tokens of replay and of general text, as shares of all tokens of the night."""

    replay: float
    general: float

    def __post_init__(self) -> None:
        if min(self.replay, self.general) < 0 or self.replay + self.general >= 0.9:
            raise ValueError("replay and general text must leave room for new text")


def order_examples(
    *,
    new: Sequence[TrainingExample],
    replay: Sequence[TrainingExample],
    canaries: Sequence[TrainingExample],
    passes: int,
    shares: Shares,
    seed: int,
) -> list[TrainingExample]:
    """Order a night: in each pass all new text and canaries, and the shares of the others.

    Replayed examples are taken in turn, so that a pass continues where the last one stopped; each
    pass is shuffled on its own, so that no kind of text comes in a block.
    """
    rng = random.Random(seed)
    new_tokens = sum(len(example.ids) for example in new)
    whole = new_tokens / (1.0 - shares.replay - shares.general)
    replay_turns = _Turns(replay, rng)
    ordered: list[TrainingExample] = []
    for _ in range(passes):
        one = [*new, *canaries]
        one += replay_turns.take(int(whole * shares.replay))
        rng.shuffle(one)
        ordered += one
    return ordered


def interleave(
    text: Sequence[Row], general: Sequence[Row], share: float, *, reading: Sequence[Row] = ()
) -> list[Row]:
    """Spread general rows evenly between rows of text, so that they make up `share` of all.

    They are taken in turn, again and again if there are too few.

    Args:
        general: the base's own samples.
        reading: what others wrote. Each row once, in place of a sample, and at most half of the
            general rows; those that find no place are left out.
    """
    if share <= 0 or not (general or reading):
        return list(text)
    per_text_row = share / (1.0 - share)
    places = int(len(text) * per_text_row)
    beside = _spread(general, reading[: places // 2 if general else places], places)
    mixed: list[Row] = []
    given = 0
    for number, row in enumerate(text, start=1):
        mixed.append(row)
        while given < min(int(number * per_text_row), len(beside)):
            mixed.append(beside[given])
            given += 1
    return mixed


def _spread(general: Sequence[Row], reading: Sequence[Row], places: int) -> list[Row]:
    """So many rows, those of `reading` evenly between those of `general`."""
    if not general:
        return list(reading)
    beside: list[Row] = []
    read = 0
    for place in range(places):
        if read < (place + 1) * len(reading) // places:
            beside.append(reading[read])
            read += 1
        else:
            beside.append(general[(place - read) % len(general)])
    return beside


class _Turns:
    """Examples in shuffled order, taken up again where the last call stopped."""

    def __init__(self, examples: Sequence[TrainingExample], rng: random.Random) -> None:
        self._order = list(examples)
        rng.shuffle(self._order)
        self._next = 0

    def take(self, tokens: int) -> list[TrainingExample]:
        """Examples of about `tokens` tokens together, each at most once."""
        taken: list[TrainingExample] = []
        while self._order and tokens > 0 and len(taken) < len(self._order):
            example = self._order[self._next % len(self._order)]
            self._next += 1
            taken.append(example)
            tokens -= len(example.ids)
        return taken
