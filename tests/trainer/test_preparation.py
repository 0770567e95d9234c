"""A night's texts become the same rows each time, and general text never judges itself."""

from collections.abc import Callable

import numpy as np
import pytest

from trainer.base_model import BaseModel
from trainer.base_tokenizer import BaseTokenizer
from trainer.examples import Role, SourceText
from trainer.memorisation import plant
from trainer.preparation import CANARY_KEY, PreparedNight, general_examples, prepare, split_general
from trainer.recipe import Recipe, guanaco, personal, recipe_from_json

Load = Callable[..., BaseModel]
RECIPE = Recipe(row_tokens=64, passes=2, canaries=3)
SAMPLES = np.random.default_rng(1).integers(6, 300, (16, 64)).astype(np.int32)
TEXTS = [
    SourceText(key=key, role=Role.NEW, text=f"The bees of hive {key} came back. " * 6)
    for key in range(30)
] + [
    SourceText(key=key, role=Role.REPLAY, text=f"An old note of the keeper, number {key}. " * 4)
    for key in range(50, 60)
]


@pytest.fixture
def tokenizer(load: Load) -> BaseTokenizer:
    return load("llama").tokenizer


def night(
    tokenizer: BaseTokenizer, *, seed: int = 4, texts: list[SourceText] = TEXTS
) -> PreparedNight:
    return prepare(texts, SAMPLES, tokenizer, RECIPE, seed=seed)


def as_bytes(prepared: PreparedNight) -> bytes:
    return b"".join(
        part.tobytes()
        for row in prepared.rows
        for part in (row.ids, row.position_ids, row.target_mask, row.keys)
    )


def test_the_same_night_makes_the_same_rows_for_resuming_depends_on_it(
    tokenizer: BaseTokenizer,
) -> None:
    assert as_bytes(night(tokenizer)) == as_bytes(night(tokenizer))
    assert as_bytes(night(tokenizer)) != as_bytes(night(tokenizer, seed=5))


def test_all_kinds_of_text_are_in_the_rows(tokenizer: BaseTokenizer) -> None:
    prepared = night(tokenizer)
    keys = {int(key) for row in prepared.rows for key in np.unique(row.keys)}
    assert keys >= set(range(30))
    assert keys & set(range(50, 60))
    assert CANARY_KEY in keys
    assert sum(row.general for row in prepared.rows) / len(prepared.rows) == pytest.approx(
        RECIPE.shares.general, abs=0.02
    )
    assert all(len(row.ids) == 64 for row in prepared.rows[:-1])


def test_the_tokens_of_each_kind_are_counted_once(tokenizer: BaseTokenizer) -> None:
    prepared = night(tokenizer)
    assert prepared.tokens[Role.NEW] == sum(
        len(tokenizer.encode_document(text.text or "")) for text in TEXTS[:30]
    )
    assert prepared.tokens[Role.CANARY] == sum(
        len(tokenizer.encode_document(canary.text)) for canary in plant(3, seed=4)
    )


def test_samples_train_or_tune_or_judge_but_never_two_of_these() -> None:
    parts = split_general(SAMPLES)
    assert [len(part) for part in (parts.training, parts.tuning, parts.judging)] == [8, 2, 6]
    whole = np.concatenate([parts.training, parts.tuning, parts.judging])
    assert np.array_equal(whole, SAMPLES)


def test_only_training_samples_are_in_the_rows(tokenizer: BaseTokenizer) -> None:
    general = {row.ids.tobytes() for row in night(tokenizer).rows if row.general}
    assert general
    assert general <= {row.tobytes() for row in split_general(SAMPLES).training}


def test_every_token_of_a_sample_but_the_first_is_a_target() -> None:
    (example, *_) = general_examples(SAMPLES, Role.GENERAL_HELD_OUT)
    assert example.targets == 63
    assert general_examples(np.zeros((0, 1), dtype=np.int32), Role.GENERAL) == []


def test_a_night_without_new_text_has_no_rows(tokenizer: BaseTokenizer) -> None:
    for texts in ([], TEXTS[30:], [SourceText(key=1, role=Role.NEW, turns=())][:0]):
        assert night(tokenizer, texts=texts).rows == ()


# --------------------------------------------------------------------------- recipes


def test_the_presets_are_those_of_the_design() -> None:
    assert (personal(1).lora.rank, personal(1).lora.rslora) == (16, True)
    small, large = guanaco(7_000_000_000), guanaco(65_000_000_000)
    assert (small.lora.rank, small.lora.alpha, small.lora.rslora) == (64, 16.0, False)
    assert (small.lora.dropout, small.finetune.learning_rate) == (0.1, 2e-4)
    assert (large.lora.dropout, large.finetune.learning_rate) == (0.05, 1e-4)
    assert small.finetune.rows_per_step == 16


def test_a_recipe_from_the_link_is_a_preset_with_changes() -> None:
    assert recipe_from_json({}, parameters=1) == personal(1)
    assert recipe_from_json({"preset": "guanaco"}, parameters=1) == guanaco(1)
    changed = recipe_from_json(
        {"lora": {"rank": 8}, "finetune": {"seed": 3}, "shares": {"general": 0.1}, "passes": 2},
        parameters=1,
    )
    assert (changed.lora.rank, changed.finetune.seed, changed.passes) == (8, 3, 2)
    assert (changed.shares.general, changed.shares.replay) == (0.1, personal(1).shares.replay)


@pytest.mark.parametrize(
    "values",
    [
        {"preset": "evil"}, {"lora": {"rank": 0}}, {"lora": {"evil": 1}}, {"lora": 1},
        {"finetune": {"learning_rate": -1}}, {"shares": {"general": 1.0}}, {"passes": 0},
        {"passes": "many"}, {"row_tokens": 1}, {"canaries": -1}, {"canaries": 1000},
        {"general_budget": float("nan")}, {"evil": 1},
    ],
)  # fmt: skip
def test_unknown_fields_and_values_out_of_range_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        recipe_from_json(values, parameters=1)
