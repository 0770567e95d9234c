"""Our own pass through the blocks, against transformers' pass over the same weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from trainer import attention
from trainer.adapter_format import LoraShape
from trainer.base_model import BaseModel
from trainer.border import OPEN
from trainer.examples import Batch
from trainer.forward import packed_states
from trainer.lora import LoraBank
from trainer.loss import target_nats

Load = Callable[..., BaseModel]
Positions = npt.NDArray[np.int32]
LENGTHS = [(100, 1, 30, 69), (7, 3, 190), (200,)]  # of the documents in each row


def positions_of(lengths: list[tuple[int, ...]]) -> Positions:
    return np.stack([np.concatenate([np.arange(n) for n in row]) for row in lengths]).astype(
        np.int32
    )


def some_ids(positions: Positions, vocabulary: int) -> npt.NDArray[np.int32]:
    return np.random.default_rng(3).integers(5, vocabulary, positions.shape).astype(np.int32)


def by_transformers(model: Any, ids: npt.NDArray[np.int32], positions: Positions) -> torch.Tensor:
    found: torch.Tensor = (
        model.get_decoder()(
            input_ids=torch.from_numpy(ids).long(),
            position_ids=torch.from_numpy(positions).long(),
            use_cache=False,
        )
    ).last_hidden_state
    return found


@pytest.fixture(params=[attention.QUERIES, 64])
def queries(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long documents in one stretch, or in several."""
    monkeypatch.setattr(attention, "QUERIES", request.param)


@pytest.mark.usefixtures("queries")
def test_states_are_those_of_transformers(family: str, load: Load) -> None:
    base = load(family)
    positions = positions_of(LENGTHS)
    ids = some_ids(positions, base.tokenizer.vocabulary)
    with torch.no_grad():
        ours = packed_states(base.model, ids, positions, OPEN)
        theirs = by_transformers(base.model, ids, positions)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("queries")
def test_gradients_are_those_of_transformers(family: str, load: Load) -> None:
    base = load(family)
    bank = LoraBank(base.model, base.identity)
    bank.create("ada", LoraShape(rank=4), seed=1)
    with torch.no_grad():
        for parameter in bank.parameters("ada").values():
            parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(7))
    positions = positions_of(LENGTHS)
    ids = some_ids(positions, base.tokenizer.vocabulary)
    weights = torch.randn(3, 200, 64, generator=torch.Generator().manual_seed(5))
    with bank.training("ada") as parameters:
        wanted = list(parameters.values())
        ours = torch.autograd.grad(
            (packed_states(base.model, ids, positions, OPEN) * weights).sum(), wanted
        )
        theirs = torch.autograd.grad(
            (by_transformers(base.model, ids, positions) * weights).sum(), wanted
        )
    for mine, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, their, rtol=1e-3, atol=1e-3 * float(their.abs().max()))


def test_blocks_that_run_again_give_the_same_gradients(load: Load) -> None:
    base = load("llama")
    bank = LoraBank(base.model, base.identity)
    bank.create("ada", LoraShape(rank=4), seed=1)
    positions = positions_of(LENGTHS)
    ids = some_ids(positions, base.tokenizer.vocabulary)
    found = []
    for recompute in (0, 1, 2):
        with bank.training("ada") as parameters:
            states = packed_states(base.model, ids, positions, OPEN, recompute_layers=recompute)
            found.append(torch.autograd.grad(states.square().sum(), list(parameters.values())))
    for again in found[1:]:
        assert all(torch.equal(one, other) for one, other in zip(found[0], again, strict=True))


def test_a_document_does_not_see_its_neighbours(load: Load) -> None:
    base = load("llama")
    positions = positions_of([(90, 110)])
    ids = some_ids(positions, base.tokenizer.vocabulary)
    other = ids.copy()
    other[:, :90] = other[:, :90][:, ::-1]
    with torch.no_grad():
        first, second = (packed_states(base.model, one, positions, OPEN) for one in (ids, other))
    assert not torch.equal(first[:, :90], second[:, :90])
    assert torch.equal(first[:, 90:], second[:, 90:])


def test_a_row_that_begins_inside_a_document_is_read(load: Load) -> None:
    base = load("llama")
    positions = np.arange(17, 57, dtype=np.int32)[None]
    ids = some_ids(positions, base.tokenizer.vocabulary)
    with torch.no_grad():
        ours = packed_states(base.model, ids, positions, OPEN)
        theirs = by_transformers(base.model, ids, positions)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("window", [None, 5, 48])
def test_stretches_let_each_query_see_what_it_may(
    window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "QUERIES", 32)
    positions = positions_of([(3, 2, 90, 40, 65), (200,)])
    seen = np.zeros((2, 200, 200), dtype=bool)
    for one in attention.plan_stretches(positions, window, torch.float32):
        seen[one.row, one.start : one.end, one.first : one.end] = (one.bias == 0).numpy()
    document = np.cumsum(positions == 0, axis=1)
    query, key = np.arange(200)[:, None], np.arange(200)[None]
    allowed = (key <= query) & (document[:, :, None] == document[:, None])
    if window is not None:
        allowed &= key > query - window
    assert (seen == allowed).all()


def test_bf16_is_no_further_from_the_truth_than_transformers(load: Load) -> None:
    exact, rounded = load("llama", torch.float32), load("llama", torch.bfloat16)
    positions = positions_of(LENGTHS)
    ids = some_ids(positions, exact.tokenizer.vocabulary)
    with torch.no_grad():
        truth = packed_states(exact.model, ids, positions, OPEN)
        ours = packed_states(rounded.model, ids, positions, OPEN).float()
        theirs = by_transformers(rounded.model, ids, positions).float()
    assert (ours - truth).norm() < 1.2 * (theirs - truth).norm()


def test_only_inputs_of_steps_are_kept_for_the_way_back(load: Load) -> None:
    """No probabilities of attention, no logits of other positions, no copy of the weights."""
    base = load("llama", torch.bfloat16)
    bank = LoraBank(base.model, base.identity)
    bank.create("ada", LoraShape(rank=4), seed=1)
    positions = positions_of([(200,)])
    ids = some_ids(positions, base.tokenizer.vocabulary)
    mask = np.ones_like(ids, dtype=bool)
    mask[:, 0] = False
    batch = Batch(ids=ids, position_ids=positions, target_mask=mask, keys=np.zeros_like(ids))
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dtype == torch.bfloat16 and tensor.numel() >= 64 * 200:
            kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        bank.training("ada"),
    ):
        target_nats(base.model, batch).sum()
    hidden, intermediate, qkv = 64, 128, (4 + 2 * 2) * 16
    # residual twice, normed twice, qkv, attended, gates and ups, activated
    per_block = 200 * (4 * hidden + qkv + hidden + 3 * intermediate)
    head = base.model.get_output_embeddings().weight.numel()
    last = 200 * 2 * hidden  # residual and the states before the head
    assert sum(kept.values()) <= 2 * per_block + last + head
