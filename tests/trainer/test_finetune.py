"""The training loop: it learns, it can be stopped between layers, and it resumes exactly."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from tests.trainer.nights import (
    ROW_TOKENS,
    SETTINGS,
    a_run,
    adapter_after,
    losses,
    mixed_rows,
    rows,
)
from trainer.adapter_format import LoraShape
from trainer.base_model import BaseModel
from trainer.errors import CheckpointDamaged
from trainer.examples import Row
from trainer.finetune import (
    Finetune,
    FinetuneSettings,
    Interrupted,
    MicroBatchDone,
    StepDone,
    plan_steps,
    rate_at,
)
from trainer.generation import Ended, generate
from trainer.lora import LoraBank
from trainer.loss import divergence_from_base, target_nats
from trainer.packing import stack
from trainer.sampling import SamplingSettings

Load = Callable[..., BaseModel]


@pytest.fixture
def base(load: Load) -> BaseModel:
    return load("llama")


# --------------------------------------------------------------------------- learning


def test_the_loss_falls(load: Load, family: str) -> None:
    with a_run(load(family), rows(3, passes=10)) as (run, _):
        found = losses(run)
    assert len(found) == 10
    assert found[-1] < 0.8 * found[0]


def test_the_base_is_the_same_bit_for_bit_after_a_night(base: BaseModel) -> None:
    before = {name: p.detach().clone() for name, p in base.model.named_parameters()}
    with a_run(base, mixed_rows()) as (run, _):
        losses(run)
    after = dict(base.model.named_parameters())
    assert set(after) == set(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_the_loss_goes_on_falling_after_an_answer(base: BaseModel) -> None:
    """As the engine does it: each step with the night's adapter active, answers in between.

    bitsandbytes' kernels for answers must not spoil what training reads.
    """
    bank = LoraBank(base.model, base.identity)
    bank.create("night", LoraShape(rank=4, dropout=0.0), seed=3)
    with bank.training("night") as parameters:
        run = Finetune(base.model, parameters, rows(3, passes=12), SETTINGS)
    steps, found = run.steps(), []
    for number in range(12):
        with bank.training("night"):
            event = next(steps)
        assert isinstance(event, StepDone)
        found.append(event.loss)
        with bank.serving(None if number % 2 else "night"):
            *_, ended = generate(
                base, base.tokenizer.encode_prompt("The bees"), SamplingSettings(max_tokens=5)
            )
        assert isinstance(ended, Ended)
    assert all(later < earlier for earlier, later in pairwise(found[2:]))
    bank.drop("night")
    with a_run(base, rows(3, passes=12), dropout=0.0) as (undisturbed, _):
        assert losses(undisturbed) == found


def test_micro_batches_add_up_to_the_whole_step(base: BaseModel) -> None:
    data = rows(6)
    adapters = []
    for size in (1, 3):
        settings = replace(SETTINGS, rows_per_micro_batch=size)
        with a_run(base, data, settings=settings, dropout=0.0) as (run, bank):
            found = losses(run)
            parameters = bank.parameters("night")
            adapters.append({name: p.detach().clone() for name, p in parameters.items()})
        assert len(found) == 2
    for name, one in adapters[0].items():
        torch.testing.assert_close(one, adapters[1][name], rtol=1e-3, atol=1e-4)


def test_dropout_is_drawn_anew_in_every_micro_batch(base: BaseModel) -> None:
    settings = replace(SETTINGS, learning_rate=1e-12, rows_per_step=1)
    with a_run(base, rows(1, passes=4), settings=settings, dropout=0.5) as (run, bank):
        with torch.no_grad():
            for parameter in bank.parameters("night").values():
                parameter.fill_(0.1)
        found = losses(run)
    assert all(abs(one - other) > 1e-4 for one, other in pairwise(found))


def test_a_step_tells_its_place_its_tokens_and_its_loss(base: BaseModel) -> None:
    data = mixed_rows()
    with torch.no_grad():
        nats = [target_nats(base.model, stack([row])) for row in data if not row.general]
    with a_run(base, data, dropout=0.0) as (run, _):
        assert (run.step, run.total_steps, run.tokens_done) == (0, 2, 0)
        first, second = run.steps()
    assert isinstance(first, StepDone)
    assert isinstance(second, StepDone)
    assert (first.step, first.steps, first.tokens) == (1, 2, 3 * ROW_TOKENS)
    assert (second.step, second.tokens) == (2, 2 * ROW_TOKENS)
    assert first.loss == pytest.approx(float(torch.cat(nats[:2]).mean()), rel=1e-4)
    assert first.seconds > 0


def test_rows_in_which_nothing_is_predicted_are_left_out(base: BaseModel) -> None:
    """The end of one document and the beginning of the next can make such a row."""
    data = rows(4)
    silent = replace(data[3], target_mask=data[3].target_mask & False)
    assert [len(step) for step in plan_steps([*data[:3], silent], SETTINGS)] == [3]
    with a_run(base, [silent]) as (run, _):
        assert losses(run) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"clip_norm": -1.0},
        {"rate_at_end": 1.5}, {"recompute_layers": -1}, {"rows_per_step": 0},
        {"rows_per_micro_batch": 0}, {"warmup_steps": -1},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        FinetuneSettings(**wrong)  # type: ignore[arg-type]


# --------------------------------------------------------------------------- general text


def test_a_fresh_adapter_has_no_divergence_from_the_base(base: BaseModel) -> None:
    (row,) = rows(1, general=True)
    with a_run(base, [row]) as (_, bank):
        base.model.eval()
        found = divergence_from_base(base.model, stack([row]), bank.bare)
    assert found.shape == (ROW_TOKENS - 1,)
    assert float(found.detach().abs().max()) < 1e-5


def test_general_rows_keep_the_model_close_to_the_base(base: BaseModel) -> None:
    text, general = rows(2), rows(1, general=True)

    def divergence_after(weight: float) -> float:
        data = [*text, *general] * 10
        with a_run(base, data, settings=replace(SETTINGS, general_weight=weight)) as (run, bank):
            losses(run)
            base.model.eval()
            with torch.no_grad():
                found = divergence_from_base(base.model, stack(general), bank.bare)
        return float(found.mean())

    assert divergence_after(2.0) < 0.5 * divergence_after(0.0)


def test_general_rows_do_not_count_in_the_loss_that_is_told(base: BaseModel) -> None:
    with a_run(base, rows(3, general=True)) as (run, _):
        assert losses(run) == [0.0]


# --------------------------------------------------------------------------- interruptions


class Border:
    """Wants the model at one border, once; counts them all."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.passed = 0

    def __call__(self) -> bool:
        self.passed += 1
        return self.passed == self.number


def borders_of(base: BaseModel, data: list[Row]) -> int:
    never = Border(0)
    adapter_after(base, data, wanted=never)
    return never.passed


def test_a_run_that_is_interrupted_at_any_border_makes_the_same_adapter(base: BaseModel) -> None:
    """Forward and backward, in text and in general rows, dropout on."""
    data = mixed_rows()
    whole, interruptions = adapter_after(base, data)
    assert interruptions == 0
    borders = borders_of(base, data)
    # of two layers: one before each and one after the last; not before the first on the way back,
    # since nothing learns there. A general row goes forward without adapter, too.
    assert borders == 4 * (3 + 2) + (3 + 2 + 3)
    for number in range(1, borders + 1):
        adapter, interruptions = adapter_after(base, data, wanted=Border(number))
        assert interruptions == 1
        assert adapter == whole, f"border {number} of {borders}"


def test_draws_by_others_in_a_break_do_not_change_the_run(base: BaseModel) -> None:
    data = rows(4)
    whole, _ = adapter_after(base, data)
    with a_run(base, data, wanted=Border(3)) as (run, bank):
        for event in run.steps():
            if isinstance(event, Interrupted):
                torch.rand(100)
        assert bank.save("night") == whole


def test_the_run_does_not_change_the_draws_of_others(base: BaseModel) -> None:
    with a_run(base, rows(4), wanted=Border(3)) as (run, _):
        torch.manual_seed(5)
        before = torch.get_rng_state()
        for _ in run.steps():
            assert torch.equal(torch.get_rng_state(), before)


def test_an_interrupted_micro_batch_is_tried_again_until_the_model_is_free(
    base: BaseModel,
) -> None:
    busy = 5

    def wanted() -> bool:
        nonlocal busy
        busy -= 1
        return busy >= 0

    whole, _ = adapter_after(base, rows(3))
    adapter, interruptions = adapter_after(base, rows(3), wanted=wanted)
    assert (adapter == whole, interruptions) == (True, 5)


def test_a_run_pauses_between_two_micro_batches_where_it_is_asked_to(base: BaseModel) -> None:
    """With gradients half accumulated, and nothing dropped."""
    data = mixed_rows()
    whole, _ = adapter_after(base, data)
    with a_run(base, data, pausing=lambda: True) as (run, bank):
        kinds, states = [], []
        for event in run.steps():
            kinds.append(type(event))
            states.append(run.state())
        assert bank.save("night") == whole
    assert kinds == [MicroBatchDone, MicroBatchDone, StepDone, MicroBatchDone, StepDone]
    for state in states:
        assert resumed(base, data, state) == whole


def test_a_steps_seconds_are_those_in_which_it_was_worked_at(
    base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, borders = 0.0, 0

    def wanted() -> bool:
        """A second from each border to the next; clients come at the second one."""
        nonlocal now, borders
        now += 1.0
        borders += 1
        return borders == 2

    monkeypatch.setattr("trainer.finetune.time.monotonic", lambda: now)
    events = []
    with a_run(base, rows(1), wanted=wanted) as (run, _):
        for event in run.steps():
            events.append(event)
            now += 100.0  # the model is somebody else's
    dropped, done = events
    assert isinstance(dropped, Interrupted)
    assert isinstance(done, StepDone)
    assert dropped.seconds == 2.0
    assert done.seconds == borders


# --------------------------------------------------------------------------- resuming


def resumed(base: BaseModel, data: list[Row], state: bytes) -> bytes:
    with a_run(base, data) as (run, bank):
        run.restore(state)
        losses(run)
        return bank.save("night")


def test_a_run_restored_at_any_micro_batch_makes_the_same_adapter(load: Load) -> None:
    """Dropout on, gradients half accumulated, in a process that loaded the base anew."""
    base, data = load("llama"), mixed_rows()
    whole, _ = adapter_after(base, data)
    checkpoints: list[bytes] = []
    with a_run(base, data, wanted=Breaks()) as (run, _):
        for event in run.steps():
            if isinstance(event, Interrupted):
                checkpoints.append(run.state())
        checkpoints.append(run.state())
    assert len(checkpoints) == 6  # before each of the five micro-batches, and at the end
    other = load("llama")
    for checkpoint in checkpoints:
        assert resumed(other, data, checkpoint) == whole


class Breaks:
    """Wants the model once at the first border of each micro-batch of `mixed_rows`."""

    def __init__(self) -> None:
        self._left: list[bool] = []
        for borders in (5, 5, 8, 5, 5):
            self._left += [True] + [False] * borders

    def __call__(self) -> bool:
        return self._left.pop(0)


def test_the_rate_rises_shortly_and_falls_to_nothing_along_a_line() -> None:
    settings = FinetuneSettings(learning_rate=1.0, warmup_steps=2)
    rates = [rate_at(step, 10, settings) for step in range(10)]
    assert rates == pytest.approx([0.5, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    constant = replace(settings, rate_at_end=1.0)
    assert [rate_at(step, 10, constant) for step in (0, 1, 9)] == [0.5, 1.0, 1.0]


def test_progress_is_the_same_after_a_resumption(base: BaseModel) -> None:
    data = rows(6)
    with a_run(base, data) as (run, _):
        events = run.steps()
        first = next(events)
        assert isinstance(first, StepDone)
        state = run.state()
        rest = [event.loss for event in events if isinstance(event, StepDone)]
    with a_run(base, data) as (run, _):
        run.restore(state)
        assert (run.step, run.tokens_done) == (1, first.tokens)
        assert losses(run) == rest


def test_a_state_of_another_night_is_refused(base: BaseModel) -> None:
    with a_run(base, rows(9)) as (run, _):
        losses(run)
        state = run.state()
    with a_run(base, rows(3)) as (run, _), pytest.raises(CheckpointDamaged):
        run.restore(state)


def test_a_refused_state_leaves_the_run_at_its_beginning(base: BaseModel) -> None:
    whole, _ = adapter_after(base, rows(3))
    with a_run(base, rows(3)) as (run, bank):
        with pytest.raises(CheckpointDamaged):
            run.restore(b"nothing")
        losses(run)
        assert bank.save("night") == whole
