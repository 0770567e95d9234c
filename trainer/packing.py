"""Examples into rows of one length, without padding and without leakage.

Documents lie end to end; one that crosses a row's end goes on in the next row as a piece of its
own. Position ids restart with each piece, so attention cannot see across (transformers builds a
block-diagonal mask from restarting positions when it is given no attention mask).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from trainer.examples import Batch, Mask, Row, TokenIds, TrainingExample

MINIMUM_PIECE = 2  # a piece of one token predicts nothing


@dataclass(frozen=True, slots=True)
class _Piece:
    key: int
    ids: TokenIds = field(repr=False)
    mask: Mask = field(repr=False)


def pack_rows(examples: Iterable[TrainingExample], row_tokens: int) -> list[Row]:
    """Fill rows of exactly `row_tokens`; only the last row may be shorter.

    Raises:
        ValueError: `row_tokens` is too small to hold a prediction.
    """
    if row_tokens < MINIMUM_PIECE:
        raise ValueError(f"row_tokens must be at least {MINIMUM_PIECE}")
    rows: list[Row] = []
    pieces: list[_Piece] = []
    space = row_tokens
    for example in examples:
        start = 0
        while start < len(example.ids):
            end = min(start + space, len(example.ids))
            pieces.append(_Piece(example.key, example.ids[start:end], example.loss_mask[start:end]))
            space -= end - start
            start = end
            if space == 0:
                rows.append(_row(pieces))
                pieces, space = [], row_tokens
    if sum(len(piece.ids) for piece in pieces) >= MINIMUM_PIECE:
        rows.append(_row(pieces))
    return rows


def _row(pieces: Sequence[_Piece]) -> Row:
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
