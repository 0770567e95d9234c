"""How a night is fitted into memory: what is chosen and promised, and what is said if none fits."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.errors import BudgetTooSmall, RankTooLarge
from trainer.geometry import Geometry
from trainer.memory_plan import (
    LEAST_ROW_TOKENS,
    MOST_TOKENS,
    TrainingPlan,
    adapted_base,
    flops,
    least_bytes,
    plan_again,
    plan_training,
)
from trainer.memory_terms import Adapted, serving_bytes, training_bytes
from trainer.recipe import recipe_from_json
from trainer.sizes import PRESETS, Sizes, sizes_of

GB = 1_000_000_000
PERSONAL = PRESETS["personal"]
LLAMA_7B = Geometry(
    layers=32, hidden=4096, feed_forward=11_008, heads=32, key_value_heads=32, head_size=128,
    vocabulary=32_000, tied=False,
)  # fmt: skip
TINY = Geometry(
    layers=8, hidden=384, feed_forward=1024, heads=6, key_value_heads=6, head_size=64,
    vocabulary=4096, tied=True,
)  # fmt: skip


def adapted(geometry: Geometry = LLAMA_7B, sizes: Sizes = PERSONAL) -> Adapted:
    return adapted_base(geometry, sizes, compute_bytes=2)


def planned(budget: int, sizes: Sizes = PERSONAL, geometry: Geometry = LLAMA_7B) -> TrainingPlan:
    return plan_training(adapted(geometry, sizes), sizes, budget)


def test_with_memory_enough_nothing_runs_twice_and_all_rows_go_together() -> None:
    plan = planned(1000 * GB)

    assert plan.recompute_layers == 0
    assert plan.rows_per_micro_batch == plan.rows_per_step == PERSONAL.rows_per_step
    assert plan.row_tokens == PERSONAL.row_tokens


def test_no_more_tokens_go_together_than_bring_something() -> None:
    plan = planned(1000 * GB, replace(PERSONAL, rows_per_step=64))

    assert plan.rows_per_micro_batch * plan.row_tokens == MOST_TOKENS
    assert plan.rows_per_step == 64


@settings(max_examples=30)  # each plans a 7B, which takes a fifth of a second
@given(budget=st.integers(0, 40 * GB), rank=st.sampled_from([8, 16, 64]))
def test_a_plan_keeps_to_its_budget_and_says_truly_what_it_takes(budget: int, rank: int) -> None:
    sizes = replace(PERSONAL, rank=rank)
    least = least_bytes(adapted(sizes=sizes), sizes)
    if budget < least:
        with pytest.raises(BudgetTooSmall) as caught:
            planned(budget, sizes)
        assert (caught.value.least_bytes, caught.value.budget_bytes) == (least, budget)
        return
    plan = planned(budget, sizes)
    assert plan.peak_bytes <= budget
    assert plan.peak_bytes == training_bytes(adapted(sizes=sizes), plan.batch)
    assert plan.rows_per_step * plan.row_tokens == sizes.rows_per_step * sizes.row_tokens


@settings(max_examples=30)
@given(budget=st.integers(8 * GB, 40 * GB), more=st.integers(0, 10 * GB))
def test_more_memory_is_never_slower(budget: int, more: int) -> None:
    little, much = planned(budget), planned(budget + more)

    assert much.row_tokens >= little.row_tokens
    if much.row_tokens == little.row_tokens:
        assert flops(LLAMA_7B, much.batch) <= flops(LLAMA_7B, little.batch)


def test_between_all_and_nothing_some_blocks_run_again() -> None:
    rich = planned(1000 * GB).peak_bytes
    poor = least_bytes(adapted(), replace(PERSONAL, row_tokens_fixed=True))
    between = [planned((rich * k + poor * (8 - k)) // 8) for k in range(1, 8)]

    assert all(plan.recompute_layers > 0 for plan in between if plan.rows_per_micro_batch == 4)
    assert any(0 < plan.recompute_layers < LLAMA_7B.layers for plan in between)


def test_rows_are_cut_shorter_only_where_nothing_else_fits() -> None:
    long = replace(PERSONAL, row_tokens=4096)
    whole = least_bytes(adapted(), replace(long, row_tokens_fixed=True))

    assert planned(whole, long).row_tokens == 4096
    cut = planned(whole - 1, long)
    assert LEAST_ROW_TOKENS <= cut.row_tokens < 4096
    with pytest.raises(BudgetTooSmall, match="without row_tokens"):
        planned(whole - 1, replace(long, row_tokens_fixed=True))


def test_a_budget_below_the_minimum_says_what_would_fit() -> None:
    wide = replace(PERSONAL, rank=256)
    narrow = least_bytes(adapted(), PERSONAL)

    with pytest.raises(BudgetTooSmall, match="an adapter of rank 16 would fit"):
        planned(narrow, wide)
    with pytest.raises(BudgetTooSmall, match="a smaller base would fit") as caught:
        planned(GB)
    assert f"{least_bytes(adapted(), PERSONAL) / 1e9:.2f} GB" in str(caught.value)
    assert "1.00 GB may be used" in str(caught.value)


def test_a_rank_above_a_layer_is_refused_with_the_highest() -> None:
    with pytest.raises(RankTooLarge, match="at most 384"):
        adapted(TINY, replace(PERSONAL, rank=385))
    assert adapted(TINY, replace(PERSONAL, rank=384)).rank == 384


def test_a_night_taken_up_keeps_its_rows_whatever_memory_there_is() -> None:
    began = planned(8 * GB)
    again = plan_again(adapted(), began, 1000 * GB)

    assert again.recompute_layers == 0
    assert replace(again, recompute_layers=0, peak_bytes=0) == replace(
        began, recompute_layers=0, peak_bytes=0
    )
    with pytest.raises(BudgetTooSmall, match="goes on when there is more"):
        plan_again(adapted(), began, GB)


def test_a_plan_is_kept_and_told_to_the_engine() -> None:
    plan = planned(8 * GB)
    recipe = {"preset": "personal", "passes": 2, "finetune": {"learning_rate": 1e-4}}

    told = recipe_from_json(plan.into(recipe), parameters=10**9)

    assert TrainingPlan.from_json(plan.to_json()) == plan
    assert told.row_tokens == plan.row_tokens
    assert told.finetune.rows_per_micro_batch == plan.rows_per_micro_batch
    assert told.finetune.rows_per_step == plan.rows_per_step
    assert told.finetune.recompute_layers == plan.recompute_layers
    assert (told.passes, told.finetune.learning_rate) == (2, 1e-4)


def test_sizes_are_the_preset_s_but_for_what_is_configured() -> None:
    recipe = {"preset": "guanaco", "lora": {"rank": 8, "dropout": 0.0}, "row_tokens": 4096}
    sizes = sizes_of(recipe, context_tokens=1024)

    assert sizes == Sizes(
        rank=8, dropout=False, row_tokens=1024, rows_per_step=16, row_tokens_fixed=True
    )
    assert sizes_of({}, context_tokens=256).row_tokens == 256


def test_a_7b_serves_within_the_design_s_budget() -> None:
    assert LLAMA_7B.weights_bytes == pytest.approx(3.87 * GB, rel=0.01)
    assert serving_bytes(adapted(), 2048) == pytest.approx(5.6 * GB, rel=0.02)


def test_a_longer_context_and_wider_numbers_take_more() -> None:
    assert serving_bytes(adapted(), 1024) < serving_bytes(adapted(), 4096)
    wide = adapted_base(LLAMA_7B, PERSONAL, compute_bytes=4)
    assert serving_bytes(adapted(), 1024) < serving_bytes(wide, 1024)
    plan = planned(1000 * GB)
    assert training_bytes(adapted(), plan.batch) < training_bytes(wide, plan.batch)
