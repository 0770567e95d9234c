"""Tonight's memory: how much the engine may take, and how it trains within that. Without torch."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from daemon.memory_reading import available_bytes
from trainer.cpu_features import multiplies_bf16
from trainer.geometry import BF16_BYTES, read_geometry
from trainer.memory_plan import TrainingPlan, adapted_base, plan_again, plan_training
from trainer.memory_terms import FP32_BYTES
from trainer.sizes import sizes_of

LEFT_SHARE = 0.1  # of what is free, for everything else that wakes up in the night


class NightMemory:
    """Plans nights on the base in use.

    Args:
        folder: of the base that a night trains on; asked once a night.
        configured_bytes: the most that the engine may take; None: nearly all that is free.
        free: what processes can get now, in bytes.
    """

    def __init__(
        self,
        folder: Callable[[], Path],
        *,
        configured_bytes: int | None = None,
        free: Callable[[], int] = available_bytes,
    ) -> None:
        self._folder = folder
        self._configured_bytes = configured_bytes
        self._free = free

    def plan(
        self, recipe: Mapping[str, Any], context_tokens: int, kept: TrainingPlan | None
    ) -> TrainingPlan:
        """How tonight's rows go through the model.

        Args:
            recipe: as configured.
            context_tokens: what the base can read.
            kept: how the night began, if it is taken up again.

        Raises:
            RankTooLarge, BudgetTooSmall: it cannot be done; the sentence says what can.
            BaseError: the base's folder cannot be read.
        """
        sizes = sizes_of(recipe, context_tokens=context_tokens)
        adapted = adapted_base(read_geometry(self._folder()), sizes, compute_bytes=compute_bytes())
        if kept is None:
            return plan_training(adapted, sizes, self._budget())
        return plan_again(adapted, kept, self._budget())

    def _budget(self) -> int:
        if self._configured_bytes is not None:
            return self._configured_bytes
        return round(self._free() * (1 - LEFT_SHARE))


def compute_bytes() -> int:
    """Of a number, as this processor computes."""
    return BF16_BYTES if multiplies_bf16() else FP32_BYTES
