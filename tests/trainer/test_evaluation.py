"""Losses by document: all that is predicted, the same for every adapter."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from trainer import evaluation
from trainer.base_model import BaseModel
from trainer.border import Border
from trainer.evaluation import document_losses
from trainer.examples import Role, TrainingExample

Load = Callable[..., BaseModel]


@pytest.fixture
def base(load: Load) -> BaseModel:
    return load("llama")


def documents(*lengths: int) -> list[TrainingExample]:
    rng = np.random.default_rng(3)
    return [
        TrainingExample(
            key=100 + number, role=Role.HELD_OUT,
            ids=rng.integers(6, 300, length).astype(np.int32),
            loss_mask=np.arange(length) > 0,
        )
        for number, length in enumerate(lengths)
    ]  # fmt: skip


def test_each_document_has_the_nats_that_it_has_alone(base: BaseModel) -> None:
    texts = documents(30, 41, 12)
    for text, loss in zip(
        texts, document_losses(base.model, texts, context_tokens=256), strict=True
    ):
        ids = torch.from_numpy(text.ids).long()[None]
        with torch.no_grad():
            logits = base.model(ids).logits[0, :-1].float()
        alone = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum")
        assert (loss.key, loss.tokens) == (text.key, len(text.ids) - 1)
        assert loss.nats == pytest.approx(float(alone), rel=1e-4)


def test_a_document_longer_than_a_row_is_counted_in_all_its_pieces(base: BaseModel) -> None:
    (loss,) = document_losses(base.model, documents(100), context_tokens=32)
    assert loss.tokens == 100 - 4  # each piece has a token that nothing comes before


def test_a_long_context_is_judged_in_rows_that_fit_into_memory(
    base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "TOKENS_AT_ONCE", 32)
    (loss,) = document_losses(base.model, documents(100), context_tokens=10**9)
    assert loss.tokens == 100 - 4


def test_a_document_too_short_to_be_predicted_has_no_loss(base: BaseModel) -> None:
    found = document_losses(base.model, documents(1, 20), context_tokens=256)
    assert [loss.key for loss in found] == [101]
    assert document_losses(base.model, [], context_tokens=256) == []


def test_others_may_have_the_model_between_batches_and_the_adapter_is_active_only_within(
    base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "TOKENS_AT_ONCE", 128)  # four rows of the context
    happened: list[str] = []

    @contextmanager
    def activate() -> Iterator[None]:
        happened.append("in")
        yield
        happened.append("out")

    document_losses(
        base.model, documents(*[32] * 9), context_tokens=32, activate=activate,
        between_batches=lambda: happened.append("between"),
    )  # fmt: skip
    assert happened == ["between", "in", "out"] * 3


def test_a_batch_that_is_dropped_at_any_border_is_judged_again_the_same(base: BaseModel) -> None:
    texts = documents(20, 30, 9)
    whole = document_losses(base.model, texts, context_tokens=32)
    asked, dropped = 0, 0

    def wanted() -> bool:
        nonlocal asked
        asked += 1
        return asked == dropped

    document_losses(base.model, texts, context_tokens=32, border=Border(wanted))
    borders = asked
    assert borders >= 3
    for dropped in range(1, borders + 1):
        asked, between = 0, []
        found = document_losses(
            base.model, texts, context_tokens=32, border=Border(wanted),
            between_batches=lambda: between.append(asked),  # noqa: B023
        )  # fmt: skip
        assert found == whole
        assert dropped in between, "clients are served before the batch is begun again"


def test_a_judge_who_is_called_away_leaves_the_model_as_it_was(base: BaseModel) -> None:
    def called_away() -> None:
        raise InterruptedError

    base.model.train()
    with pytest.raises(InterruptedError):
        document_losses(base.model, documents(20), context_tokens=32, between_batches=called_away)
    document_losses(base.model, documents(20), context_tokens=32)
    assert all(module.training for module in base.model.modules())
    assert torch.is_grad_enabled()
