"""Rows of random tokens, the same for both sides. Every row is one document, all of it to learn."""

import numpy as np
import numpy.typing as npt

from trainer.examples import Row


def token_rows(rows: int, tokens: int, *, vocabulary: int, seed: int = 0) -> npt.NDArray[np.int32]:
    """(rows, tokens) int32."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, vocabulary, (rows, tokens), dtype=np.int32)


def packed_rows(ids: npt.NDArray[np.int32]) -> list[Row]:
    """Rows as a night has them."""
    tokens = ids.shape[1]
    mask = np.ones(tokens, dtype=np.bool_)
    mask[0] = False
    return [
        Row(
            ids=row,
            position_ids=np.arange(tokens, dtype=np.int32),
            target_mask=mask,
            keys=np.zeros(tokens, dtype=np.int64),
        )
        for row in ids
    ]
