"""What a night may take, and how it trains within that."""

from dataclasses import replace

import pytest

from daemon.night_memory import NightMemory, compute_bytes
from trainer.base_model import best_compute_dtype
from trainer.builtin_base import BUILTIN_BASE
from trainer.errors import BudgetTooSmall, RankTooLarge
from trainer.memory_plan import TrainingPlan

GB = 1_000_000_000


def planned(
    free: int, configured: int | None = None, kept: TrainingPlan | None = None, **recipe: object
) -> TrainingPlan:
    memory = NightMemory(lambda: BUILTIN_BASE, configured_bytes=configured, free=lambda: free)
    return memory.plan(recipe, 1024, kept)


def test_a_night_takes_what_is_free_but_for_a_tenth() -> None:
    needs = planned(100 * GB).peak_bytes

    assert planned(round(needs / 0.89)).peak_bytes == needs
    assert planned(round(needs / 0.91)).peak_bytes < needs


def test_what_is_configured_counts_whatever_is_free() -> None:
    needs = planned(100 * GB).peak_bytes

    assert planned(0, configured=needs).peak_bytes == needs
    with pytest.raises(BudgetTooSmall):
        planned(100 * GB, configured=GB // 2)


def test_a_night_taken_up_keeps_its_rows() -> None:
    began = replace(planned(100 * GB), rows_per_micro_batch=1, rows_per_step=3, row_tokens=96)

    again = planned(100 * GB, kept=began)

    assert (again.rows_per_micro_batch, again.rows_per_step, again.row_tokens) == (1, 3, 96)


def test_a_rank_that_no_layer_has_is_refused() -> None:
    with pytest.raises(RankTooLarge, match="at most 384"):
        planned(100 * GB, lora={"rank": 512})


def test_the_service_plans_with_the_numbers_that_the_engine_computes_in() -> None:
    import torch

    assert compute_bytes() == best_compute_dtype(torch.device("cpu")).itemsize
