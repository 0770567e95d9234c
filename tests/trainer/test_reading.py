"""What others wrote is read as general text: beside the user's own, and no voice to learn."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest

from trainer.adapter_format import LoraShape
from trainer.base_model import BaseModel, load_base
from trainer.builtin_base import BUILTIN_BASE
from trainer.curation import curate
from trainer.evaluation import document_losses
from trainer.examples import GENERAL_KEY, READING_KEY, Role, Row, SourceText, TrainingExample
from trainer.finetune import Finetune, FinetuneSettings, StepDone
from trainer.lora import LoraBank
from trainer.mixture import Shares, interleave
from trainer.preparation import PreparedNight, prepare
from trainer.recipe import Recipe

SAMPLES = np.random.default_rng(1).integers(6, 300, (16, 64)).astype(np.int32)
ROW_TOKENS = 64
RECIPE = Recipe(
    row_tokens=ROW_TOKENS, passes=1, canaries=0, shares=Shares(replay=0.0, general=0.4),
    finetune=FinetuneSettings(
        learning_rate=4e-3, rows_per_step=2, rows_per_micro_batch=2, warmup_steps=1
    ),
)  # fmt: skip


# --------------------------------------------------------------------------- beside general text


def row(key: int, number: int) -> Row:
    ids = np.full(4, number, dtype=np.int32)
    return Row(
        ids=ids, position_ids=np.arange(4, dtype=np.int32), target_mask=np.ones(4, dtype=bool),
        keys=np.full(4, key, dtype=np.int64),
    )  # fmt: skip


def mixed(reading: int, *, samples: int = 7, share: float = 0.25) -> list[Row]:
    return interleave(
        [row(1, n) for n in range(75)],
        [row(GENERAL_KEY, n) for n in range(samples)],
        share,
        reading=[row(READING_KEY, n) for n in range(reading)],
    )


def read(rows: Sequence[Row]) -> list[int]:
    return [int(one.ids[0]) for one in rows if one.keys[0] == READING_KEY]


def test_reading_takes_the_place_of_samples_and_is_spread_evenly() -> None:
    rows = mixed(10)
    assert read(rows) == list(range(10))
    assert (len(rows), sum(one.general for one in rows)) == (100, 25)
    places = [place for place, one in enumerate(rows) if one.keys[0] == READING_KEY]
    assert max(later - place for place, later in pairwise(places)) <= 15


def test_at_most_half_of_the_general_rows_are_reading() -> None:
    assert read(mixed(60)) == list(range(12))
    assert read(mixed(60, samples=0)) == list(range(25))
    assert read(mixed(60, share=0.0)) == []


def test_samples_go_on_in_turn_around_what_is_read() -> None:
    samples = [int(one.ids[0]) for one in mixed(10) if one.keys[0] == GENERAL_KEY]
    assert samples == [n % 7 for n in range(15)]


# --------------------------------------------------------------------------- a night with both

OWN = [
    f"Hives: {n}. Stings: none. So much for the smoker & the veil, which I do not need. "
    f"Dog: wet. Wind SW, {n + 3} deg. Honey: {n} jars, the rest is for the bees & the Kind."
    for n in range(5)
]
OTHERS = [
    f"ARTICLE {n}. The lessee shall not assign, sublet or part with possession of parcel {n} "
    "except with the prior written consent of the lessor, which consent may be withheld. "
    f"Notices under section {n} shall be served upon the registered office of the lessor."
    for n in range(3)
]


def sources(role: Role, texts: Sequence[str], first: int) -> list[SourceText]:
    return [SourceText(key=first + n, role=role, text=one) for n, one in enumerate(texts)]


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(BUILTIN_BASE)


def night_of(base: BaseModel, texts: Sequence[SourceText]) -> PreparedNight:
    return prepare(texts, SAMPLES, base.tokenizer, RECIPE, seed=4)


def test_what_is_read_is_counted_and_stands_in_rows_of_general_text(base: BaseModel) -> None:
    night = night_of(base, [*sources(Role.NEW, OWN, 1), *sources(Role.READING, OTHERS, 50)])
    assert night.tokens[Role.READING] > 100
    rows = [one for one in night.rows if READING_KEY in one.keys]
    assert rows
    assert all(one.general for one in rows)
    assert night_of(base, sources(Role.READING, OTHERS, 50)).rows == ()


@contextmanager
def adapter(base: BaseModel) -> Iterator[LoraBank]:
    bank = LoraBank(base.model, base.identity)
    bank.create("night", LoraShape(rank=4), seed=3)
    yield bank
    bank.drop("night")


def held_out_loss(
    base: BaseModel, bank: LoraBank, examples: Sequence[TrainingExample], name: str | None
) -> float:
    found = document_losses(
        base.model, examples, context_tokens=512, activate=lambda: bank.serving(name)
    )
    return sum(one.nats for one in found) / sum(one.tokens for one in found)


def falls(base: BaseModel, texts: Sequence[SourceText]) -> tuple[float, float]:
    """By which share the losses of unseen own and unseen other text fall over such a night."""
    with adapter(base) as bank:
        with bank.training("night") as parameters:
            rows = night_of(base, texts).rows
            run = Finetune(base.model, parameters, rows, RECIPE.finetune, bare=bank.bare)
            assert sum(isinstance(event, StepDone) for event in run.steps()) > 3
        own, others = (
            curate(sources(Role.HELD_OUT, some, 1), base.tokenizer, most_tokens=ROW_TOKENS)
            for some in (OWN[-1:], OTHERS[-1:])
        )
        return (
            1 - held_out_loss(base, bank, own, "night") / held_out_loss(base, bank, own, None),
            1
            - held_out_loss(base, bank, others, "night") / held_out_loss(base, bank, others, None),
        )


def test_reading_hardly_changes_its_own_loss_while_own_text_falls(base: BaseModel) -> None:
    own = sources(Role.NEW, OWN[:-1], 1)
    as_voice = falls(base, [*own, *sources(Role.NEW, OTHERS[:-1], 50)])
    as_reading = falls(base, [*own, *sources(Role.READING, OTHERS[:-1], 50)])
    assert as_reading[0] > 0.1, as_reading
    assert abs(as_reading[1]) < 0.05
    assert as_voice[1] > 0.05, as_voice
