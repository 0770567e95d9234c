"""Losses over the vocabulary against torch's own, in pieces of every size."""

import pytest
import torch

from trainer import head_losses
from trainer.head_losses import cross_entropy, divergence

ROWS, HIDDEN, VOCABULARY = 37, 32, 211


def random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=[1, 5 * VOCABULARY, 1 << 24])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_losses, "LOGITS_AT_ONCE", request.param)


@pytest.mark.usefixtures("pieces")
def test_cross_entropy_and_its_gradient_are_those_of_torch() -> None:
    states = random(ROWS, HIDDEN, seed=1).requires_grad_(True)
    head = random(VOCABULARY, HIDDEN, seed=2)
    targets = torch.randint(0, VOCABULARY, (ROWS,), generator=torch.Generator().manual_seed(3))
    weights = random(ROWS, seed=4)
    ours = cross_entropy(states, head, targets)
    theirs = torch.nn.functional.cross_entropy(states @ head.T, targets, reduction="none")
    torch.testing.assert_close(ours, theirs)
    found, wanted = (torch.autograd.grad((x * weights).sum(), states)[0] for x in (ours, theirs))
    torch.testing.assert_close(found, wanted)


@pytest.mark.usefixtures("pieces")
def test_divergence_and_its_gradient_are_those_of_torch() -> None:
    states = random(ROWS, HIDDEN, seed=1).requires_grad_(True)
    of_base, head = random(ROWS, HIDDEN, seed=5), random(VOCABULARY, HIDDEN, seed=2)
    weights = random(ROWS, seed=4)
    ours = divergence(states, of_base, head)
    model, base = (torch.log_softmax(x @ head.T, -1) for x in (states, of_base))
    theirs = torch.nn.functional.kl_div(model, base, reduction="none", log_target=True).sum(-1)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    found, wanted = (torch.autograd.grad((x * weights).sum(), states)[0] for x in (ours, theirs))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_model_does_not_diverge_from_itself() -> None:
    states, head = random(ROWS, HIDDEN, seed=1), random(VOCABULARY, HIDDEN, seed=2)
    torch.testing.assert_close(divergence(states, states.clone(), head), torch.zeros(ROWS))


def test_without_gradients_none_are_made() -> None:
    states, head = random(ROWS, HIDDEN, seed=1), random(VOCABULARY, HIDDEN, seed=2)
    nats = cross_entropy(states, head, torch.zeros(ROWS, dtype=torch.int64))
    assert not nats.requires_grad


def test_no_rows_cost_nothing() -> None:
    states, head = random(0, HIDDEN, seed=1), random(VOCABULARY, HIDDEN, seed=2)
    assert cross_entropy(states, head, torch.zeros(0, dtype=torch.int64)).shape == (0,)
    assert divergence(states, states, head).shape == (0,)
