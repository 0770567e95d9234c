"""Several adapters on one base: each speaks for itself, and the base stays what it is."""

import warnings
from collections.abc import Callable
from pathlib import Path

import peft
import pytest
import torch

from storage.records import sha256_hex
from tests.trainer.stock import stock_model, with_adapter
from trainer.adapter_format import LoraShape
from trainer.base_model import BaseModel
from trainer.errors import AdapterDamaged, AdapterMismatch, AdapterUnknown
from trainer.lora import LoraBank

Load = Callable[..., BaseModel]
Folders = Callable[[str], Path]
IDS = torch.arange(6, 46).view(2, 20)
SHAPE = LoraShape(rank=4, dropout=0.1)


@pytest.fixture
def base(load: Load) -> BaseModel:
    return load("llama")


@pytest.fixture
def bank(base: BaseModel) -> LoraBank:
    return LoraBank(base.model, base.identity)


def create(bank: LoraBank, name: str, *, seed: int, shape: LoraShape = SHAPE) -> None:
    """An adapter that changes something: a fresh one does not, its B is zero."""
    bank.create(name, shape, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in bank.parameters(name).values():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)


def logits(base: BaseModel, bank: LoraBank, name: str | None) -> torch.Tensor:
    with bank.serving(name):
        answered: torch.Tensor = base.model(IDS).logits.clone()
    return answered


# --------------------------------------------------------------------------- one base, many voices


def test_a_fresh_adapter_changes_nothing_yet(base: BaseModel, bank: LoraBank) -> None:
    before = logits(base, bank, None)
    bank.create("ada", SHAPE, seed=1)
    assert torch.equal(logits(base, bank, "ada"), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_without_an_adapter_the_base_answers_bit_for_bit(load: Load, dtype: torch.dtype) -> None:
    base = load("llama", dtype)
    with torch.no_grad():
        before = base.model(IDS).logits
    bank = LoraBank(base.model, base.identity)
    create(bank, "ada", seed=1)
    create(bank, "bea", seed=2)
    assert not torch.equal(logits(base, bank, "ada"), before)
    assert torch.equal(logits(base, bank, None), before)


def test_serving_one_adapter_does_not_change_the_other(base: BaseModel, bank: LoraBank) -> None:
    create(bank, "ada", seed=1)
    alone = logits(base, bank, "ada")
    create(bank, "bea", seed=2, shape=LoraShape(rank=2))
    other = logits(base, bank, "bea")
    assert not torch.equal(other, alone)
    assert torch.equal(logits(base, bank, "ada"), alone)
    assert torch.equal(logits(base, bank, "bea"), other)


def test_an_adapter_means_what_peft_means_by_it(base: BaseModel, base_folders: Folders) -> None:
    """The bytes of ours, put into a plain peft model, give the same answers."""
    bank = LoraBank(base.model, base.identity)
    create(bank, "ada", seed=1)
    ours = logits(base, bank, "ada")
    theirs = with_adapter(stock_model(base_folders("llama"), torch.float32), SHAPE)
    peft.set_peft_model_state_dict(theirs, dict(bank.parameters("ada")))
    theirs.eval()
    with torch.no_grad():
        torch.testing.assert_close(theirs(input_ids=IDS).logits, ours)


def test_every_linear_layer_of_every_block_has_an_adapter(base: BaseModel, bank: LoraBank) -> None:
    bank.create("ada", SHAPE, seed=1)
    modules = {name.split(".lora_")[0] for name in bank.parameters("ada")}
    assert len(modules) == 2 * 7
    assert len(bank.parameters("ada")) == 2 * 2 * 7


# --------------------------------------------------------------------------- bytes


def test_what_was_saved_loads_as_the_same_voice(base: BaseModel, bank: LoraBank) -> None:
    create(bank, "ada", seed=1)
    data = bank.save("ada")
    bank.load("bea", data, sha256=sha256_hex(data))
    assert torch.equal(logits(base, bank, "bea"), logits(base, bank, "ada"))
    assert bank.save("bea") == data
    assert bank.shape("bea") == SHAPE


def test_an_adapter_of_the_same_name_takes_the_others_place(
    base: BaseModel, bank: LoraBank
) -> None:
    create(bank, "ada", seed=1)
    first, saved = logits(base, bank, "ada"), bank.save("ada")
    create(bank, "ada", seed=2, shape=LoraShape(rank=8))
    assert not torch.equal(logits(base, bank, "ada"), first)
    bank.load("ada", saved)
    assert torch.equal(logits(base, bank, "ada"), first)


def test_bytes_that_do_not_fit_leave_no_trace(load: Load, base: BaseModel, bank: LoraBank) -> None:
    other = load("qwen3")
    strangers = LoraBank(other.model, other.identity)
    strangers.create("ada", SHAPE, seed=1)
    with pytest.raises(AdapterMismatch):
        bank.load("ada", strangers.save("ada"))
    same_name = LoraBank(load("qwen3").model, base.identity)  # claims to be of our base
    same_name.create("bea", SHAPE, seed=1)
    with pytest.raises(AdapterMismatch):
        bank.load("bea", same_name.save("bea"))
    with pytest.raises(AdapterDamaged):
        bank.load("cleo", b"no adapter")
    assert bank.names == frozenset()


def test_other_bytes_than_the_digest_says_are_refused(bank: LoraBank) -> None:
    bank.create("ada", SHAPE, seed=1)
    with pytest.raises(AdapterDamaged, match="digest"):
        bank.load("bea", bank.save("ada"), sha256="0" * 64)


def test_the_same_seed_makes_the_same_adapter_and_leaves_other_draws_alone(
    bank: LoraBank,
) -> None:
    state = torch.random.get_rng_state()
    bank.create("ada", SHAPE, seed=1)
    bank.create("bea", SHAPE, seed=1)
    bank.create("cleo", SHAPE, seed=2)
    assert bank.save("ada") == bank.save("bea") != bank.save("cleo")
    assert torch.equal(torch.random.get_rng_state(), state)


# --------------------------------------------------------------------------- dropping


def test_dropping_frees_and_leaves_the_others(base: BaseModel, bank: LoraBank) -> None:
    create(bank, "ada", seed=1)
    voice, size = logits(base, bank, "ada"), sum(1 for _ in base.model.parameters())
    create(bank, "bea", seed=2)
    logits(base, bank, "bea")  # the active one is dropped
    bank.drop("bea")
    assert bank.names == {"ada"}
    assert sum(1 for _ in base.model.parameters()) == size
    assert torch.equal(logits(base, bank, "ada"), voice)


def test_after_the_last_adapter_the_model_is_as_it_was_loaded(
    base: BaseModel, bank: LoraBank
) -> None:
    names = [name for name, _ in base.model.named_modules()]
    before = logits(base, bank, None)
    for seed in (1, 2):  # and a second time
        create(bank, "ada", seed=seed)
        assert not torch.equal(logits(base, bank, "ada"), before)
        bank.drop("ada")
        assert [name for name, _ in base.model.named_modules()] == names
        assert torch.equal(logits(base, bank, None), before)


@pytest.mark.parametrize("use", ["shape", "save", "drop", "parameters"])
def test_an_unknown_adapter_is_named_as_such(bank: LoraBank, use: str) -> None:
    bank.create("ada", SHAPE, seed=1)
    with pytest.raises(AdapterUnknown):
        getattr(bank, use)("bea")
    with pytest.raises(AdapterUnknown):
        bank.serving("bea").__enter__()


# --------------------------------------------------------------------------- modes


def test_only_the_trained_adapter_gets_gradients(base: BaseModel, bank: LoraBank) -> None:
    create(bank, "ada", seed=1)
    create(bank, "bea", seed=2)
    with bank.training("bea") as parameters:
        assert all(module.training for module in base.model.modules())
        wanting = {id(p) for p in base.model.parameters() if p.requires_grad}
        assert wanting == {id(p) for p in parameters.values()}
        base.model(IDS).logits.float().logsumexp(-1).sum().backward()
        assert all(p.grad is not None and p.grad.any() for p in parameters.values())
        assert all(p.grad is None for p in bank.parameters("ada").values())
    assert not any(module.training for module in base.model.modules())
    assert not any(p.requires_grad for p in base.model.parameters())


def test_serving_in_a_break_of_training_leaves_no_gradients_and_eval_mode(
    base: BaseModel, bank: LoraBank
) -> None:
    create(bank, "ada", seed=1)
    with bank.serving("ada"):
        assert not base.model.training
        assert not base.model(IDS).logits.requires_grad
    assert not any(p.requires_grad for p in base.model.parameters())


def test_bare_within_training_is_the_base_and_training_goes_on(
    base: BaseModel, bank: LoraBank
) -> None:
    plain = logits(base, bank, None)
    create(bank, "ada", seed=1)
    with bank.training("ada") as parameters:
        with bank.bare():
            assert torch.equal(base.model(IDS).logits, plain)
        assert base.model.training
        assert all(p.requires_grad for p in parameters.values())
        assert not torch.equal(base.model(IDS).logits, plain)


def test_bare_within_serving_leaves_the_adapter_without_dropout(
    base: BaseModel, bank: LoraBank
) -> None:
    plain = logits(base, bank, None)
    create(bank, "ada", seed=1, shape=LoraShape(rank=4, dropout=0.5))
    voice = logits(base, bank, "ada")
    with bank.serving("ada"):
        with bank.bare():
            assert torch.equal(base.model(IDS).logits, plain)
        assert torch.equal(base.model(IDS).logits, voice)


def test_adapters_are_fp32_on_a_bf16_base(load: Load) -> None:
    base = load("llama", torch.bfloat16)
    bank = LoraBank(base.model, base.identity)
    bank.create("ada", SHAPE, seed=1)
    assert {p.dtype for p in bank.parameters("ada").values()} == {torch.float32}


def test_nothing_is_said_while_adapters_come_and_go(
    base: BaseModel, bank: LoraBank, capfd: pytest.CaptureFixture[str]
) -> None:
    """In production nobody filters warnings: they would stand in the service's log."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        create(bank, "ada", seed=1)
        create(bank, "bea", seed=2)
        logits(base, bank, "bea")
        bank.drop("bea")
        bank.drop("ada")
    assert [str(one.message) for one in said] == []
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""
