"""Answers without a service around them: the engine's own way of computing, timed.

Each answer is greedy and has a prompt that was not read before. Whoever times gives every prompt
once: what the engine keeps of prompts must not help here.
"""

import time
from collections.abc import Generator, Sequence
from contextlib import closing

from trainer.base_model import BaseModel
from trainer.row_batch import RowBatch
from trainer.sampling import SamplingSettings
from trainer.served_adapters import ServedAdapters

ADAPTER = "measured"
GREEDY = SamplingSettings(temperature=0.0)


class BareRows:
    """One base with one adapter, given as bytes."""

    def __init__(self, base: BaseModel, adapter: bytes) -> None:
        self.base = base
        adapters = ServedAdapters(base)
        adapters.load(ADAPTER, adapter)
        self._rows = RowBatch(base, adapters)

    def first_token_seconds(self, prompt: Sequence[int]) -> float:
        """Seconds until the first token is drawn."""
        with closing(self._tokens(prompt)) as tokens:
            began = time.perf_counter()
            next(tokens)
            return time.perf_counter() - began

    def step_seconds(self, prompt: Sequence[int], steps: int) -> float:
        """Seconds per token, the first one left out."""
        with closing(self._tokens(prompt)) as tokens:
            next(tokens)
            began = time.perf_counter()
            for _ in range(steps):
                next(tokens)
            return (time.perf_counter() - began) / steps

    def _tokens(self, prompt: Sequence[int]) -> Generator[int, None, None]:
        """As long as somebody wants more."""
        row = self._rows.add(prompt, GREEDY, ADAPTER)
        try:
            while True:
                for _, drawn in self._rows.turn():
                    yield drawn.token
        finally:
            self._rows.drop(row)
