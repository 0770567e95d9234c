"""Examples into rows of one length, without leakage and almost without padding.

A row is filled with the longest examples that fit among the next ones. What is left of it takes the
beginning of another that ends with a sentence, or any beginning where no sentence fits; the few
tokens that can remain are padding. What was cut goes on in another row as a piece of its own.
Position ids restart with each piece, so attention cannot see across (transformers builds a
block-diagonal mask from restarting positions when it is given no attention mask).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from trainer.examples import PADDING_KEY, Batch, Mask, Row, TokenIds, TrainingExample

MINIMUM_PIECE = 2  # a piece of one token predicts nothing
WINDOW = 64  # of the next examples, among which what fits is looked for; the order stays about so
# Of a row, what may stay empty so that no sentence is cut: one part in so many. Measured in README.
PADDING_PART = 32


@dataclass(frozen=True, slots=True)
class _Piece:
    key: int
    ids: TokenIds = field(repr=False)
    mask: Mask = field(repr=False)
    borders: tuple[int, ...] = ()  # where it may be cut, in order

    def __len__(self) -> int:
        return len(self.ids)

    def cut(self, place: int) -> "tuple[_Piece, _Piece]":
        at = bisect_right(self.borders, place)
        later = tuple(border - place for border in self.borders[at:])
        return (
            _Piece(self.key, self.ids[:place], self.mask[:place], self.borders[:at]),
            _Piece(self.key, self.ids[place:], self.mask[place:], later),
        )


def pack_rows(examples: Iterable[TrainingExample], row_tokens: int) -> list[Row]:
    """Fill rows of exactly `row_tokens`; only the last row may be shorter.

    The same examples in the same order make the same rows, which exact resume relies on.

    Raises:
        ValueError: `row_tokens` is too small to hold a prediction.
    """
    if row_tokens < MINIMUM_PIECE:
        raise ValueError(f"row_tokens must be at least {MINIMUM_PIECE}")
    waiting = _Waiting(
        (_Piece(e.key, e.ids, e.loss_mask, e.borders) for e in examples if len(e.ids)),
        padding=row_tokens // PADDING_PART,
    )
    rows: list[Row] = []
    while pieces := _fill(waiting, row_tokens):
        tokens = sum(map(len, pieces))
        if tokens >= MINIMUM_PIECE:
            rows.append(_row(pieces, 0 if waiting.empty else row_tokens - tokens))
    return rows


def _fill(waiting: "_Waiting", row_tokens: int) -> list[_Piece]:
    """The pieces of one row."""
    pieces: list[_Piece] = []
    space = row_tokens
    while space and (piece := waiting.take(space, first=not pieces)) is not None:
        pieces.append(piece)
        space -= len(piece)
    return pieces


class _Waiting:
    """Pieces in order, of which the next `WINDOW` can be chosen from."""

    def __init__(self, pieces: Iterator[_Piece], *, padding: int) -> None:
        self._coming = pieces
        self._padding = padding
        self._window = list(islice(pieces, WINDOW))

    @property
    def empty(self) -> bool:
        return not self._window

    def take(self, space: int, *, first: bool) -> _Piece | None:
        """What goes next into a row with so much space; None where padding is better, or no more.

        The first of a row is the one that waits longest, so none waits for ever.
        """
        if not self._window:
            return None
        fitting = range(1) if first else range(len(self._window))
        whole = [n for n in fitting if len(self._window[n]) <= space]
        if whole:
            return self._pop(max(whole, key=lambda n: (len(self._window[n]), -n)))
        if space <= self._padding:
            return None
        number, place = self._best_border(fitting, space)
        if space - place > self._padding:  # no sentence ends near: somewhere
            number, place = 0, space
        beginning, self._window[number] = self._window[number].cut(place)
        return beginning

    def _best_border(self, among: range, space: int) -> tuple[int, int]:
        """Which piece to cut, and where, so that the least space remains."""
        best = (0, 0)
        for number in among:
            borders = self._window[number].borders
            index = bisect_right(borders, space)
            if index and borders[index - 1] > best[1]:
                best = number, borders[index - 1]
        return best

    def _pop(self, number: int) -> _Piece:
        taken = self._window.pop(number)
        self._window += islice(self._coming, 1)
        return taken


def _row(pieces: Sequence[_Piece], padding: int = 0) -> Row:
    if padding:
        nothing = np.zeros(padding, dtype=np.int32)
        pieces = [*pieces, _Piece(PADDING_KEY, nothing, nothing > 0)]
    masks = [piece.mask.copy() for piece in pieces]
    for mask in masks:
        mask[0] = False  # nothing of the same piece comes before it
    return Row(
        ids=np.concatenate([piece.ids for piece in pieces]),
        position_ids=np.concatenate([np.arange(len(p.ids), dtype=np.int32) for p in pieces]),
        target_mask=np.concatenate(masks),
        keys=np.concatenate([np.full(len(p.ids), p.key, dtype=np.int64) for p in pieces]),
    )


def batches(rows: Sequence[Row], rows_per_batch: int) -> Iterator[Batch]:
    """Stack rows of equal length; a shorter last row is a batch of its own."""
    start = 0
    while start < len(rows):
        length = len(rows[start].ids)
        end = start
        while end < min(start + rows_per_batch, len(rows)) and len(rows[end].ids) == length:
            end += 1
        yield stack(rows[start:end])
        start = end


def stack(rows: Sequence[Row]) -> Batch:
    """Put rows of one length into one batch."""
    return Batch(
        ids=np.stack([row.ids for row in rows]),
        position_ids=np.stack([row.position_ids for row in rows]),
        target_mask=np.stack([row.target_mask for row in rows]),
        keys=np.stack([row.keys for row in rows]),
    )
