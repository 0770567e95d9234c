"""What both sides of a training bench do: a short warm-up step, then steps over the same rows.

The rows are the same at every step, so that a loss that falls alike shows equal gradients.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.bench.rows import token_rows

LEARNING_RATE = 2e-4
WARMUP_STEPS = 2
CLIP_NORM = 0.3
WARM_UP_SHARE = 8  # the warm-up step has rows of an eighth
LEAST_TOKENS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRun:
    """Steps of `rows` rows of `row_tokens` tokens."""

    rows: int
    row_tokens: int
    steps: int
    vocabulary: int

    @property
    def step_tokens(self) -> int:
        return self.rows * self.row_tokens

    def steps_ids(self) -> list[npt.NDArray[np.int32]]:
        """(rows, tokens) of every step, the warm-up step first."""
        ids = token_rows(self.rows, self.row_tokens, vocabulary=self.vocabulary)
        short = max(LEAST_TOKENS, self.row_tokens // WARM_UP_SHARE)
        return [ids[:, :short], *[ids] * self.steps]


def rate(step: int) -> float:
    """The learning rate of a step, counted from 0: a warm-up, then constant."""
    return LEARNING_RATE * min(1.0, (step + 1) / WARMUP_STEPS)
