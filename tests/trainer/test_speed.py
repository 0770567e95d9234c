"""Tokens of a night, from rates that were measured."""

import pytest

from tests.trainer.test_memory_plan import LLAMA_7B, TINY, adapted
from trainer.memory_plan import plan_training
from trainer.memory_terms import MicroBatch
from trainer.sizes import PRESETS
from trainer.speed import NIGHT_SECONDS, Speed, work

SPEED = Speed(small=1e11, large=4e11)
PERSONAL = PRESETS["personal"]


def test_a_7b_learns_as_many_tokens_as_its_work_goes_into_the_rate() -> None:
    rich = plan_training(adapted(), PERSONAL, 10**12)
    found = SPEED.tokens_per_second(LLAMA_7B, rich)

    assert found == pytest.approx(4e11 / (4 * 6.6e9), rel=0.06)  # 4 flops a weight, and codes
    assert SPEED.tokens_per_night(LLAMA_7B, rich) == found * NIGHT_SECONDS


def test_what_is_computed_twice_is_not_learned_twice() -> None:
    rich = plan_training(adapted(), PERSONAL, 10**12)
    poor = plan_training(adapted(), PERSONAL, 7_500_000_000)

    assert poor.recompute_layers > 0
    assert SPEED.tokens_per_second(LLAMA_7B, poor) < SPEED.tokens_per_second(LLAMA_7B, rich)


def test_a_small_base_counts_with_the_small_rate() -> None:
    plan = plan_training(adapted(TINY), PERSONAL, 10**12)
    slow = Speed(small=5e10, large=4e11)

    assert SPEED.tokens_per_second(TINY, plan) == 2 * slow.tokens_per_second(TINY, plan)


def test_the_head_is_work_that_is_never_done_again() -> None:
    kept = MicroBatch(rows=2, row_tokens=512)
    again = MicroBatch(rows=2, row_tokens=512, recompute_layers=LLAMA_7B.layers)
    blocks, head = LLAMA_7B.linear_parameters, LLAMA_7B.head_parameters

    assert work(LLAMA_7B, kept, tokens=10) == 10 * work(LLAMA_7B, kept, tokens=1)
    more = work(LLAMA_7B, again, tokens=1) - work(LLAMA_7B, kept, tokens=1)
    assert more == pytest.approx(blocks * (2 + 90 / 1024))
    assert work(LLAMA_7B, kept, tokens=1) > 4 * (blocks + head)


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"small": 1.0},
        {"small": 0, "large": 1},
        {"small": 1, "large": "inf"},
        {"small": None, "large": 1},
    ],
)
def test_no_other_measurement_is_taken(kept: dict[str, object]) -> None:
    assert Speed.from_json(SPEED.to_json()) == SPEED
    with pytest.raises((KeyError, TypeError, ValueError)):
        Speed.from_json(kept)
