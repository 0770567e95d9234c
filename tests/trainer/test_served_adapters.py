"""Adapters for answers: the bytes that training makes, checked as it checks them, without peft."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from storage.records import sha256_hex
from trainer.adapter_format import LoraShape
from trainer.base_model import BaseModel
from trainer.errors import AdapterDamaged, AdapterMismatch, AdapterUnknown
from trainer.lora import LoraBank
from trainer.nf4_linear import QUANTISED
from trainer.served_adapters import ServedAdapters

Load = Callable[..., BaseModel]
SHAPE = LoraShape(rank=4, alpha=8.0)


def adapter_bytes(base: BaseModel, shape: LoraShape = SHAPE, *, identity: str = "") -> bytes:
    bank = LoraBank(base.model, identity or base.identity)
    bank.create("made", shape, seed=1)
    data = bank.save("made")
    bank.drop("made")
    return data


@pytest.fixture
def base(load: Load) -> BaseModel:
    return load("llama", torch.bfloat16)


def test_every_layer_of_the_base_has_its_factors(base: BaseModel) -> None:
    served = ServedAdapters(base)
    served.load("ada", adapter_bytes(base))
    loaded = served.get("ada")
    layers = [module for module in base.model.modules() if isinstance(module, QUANTISED)]
    assert list(loaded.layers) == layers
    for module, factors in loaded.layers.items():
        assert factors.a.shape == (4, module.in_features)
        assert factors.b.shape == (module.out_features, 4)
    assert served.names == {"ada"}


def test_a_base_that_trains_serves_the_same_layers(base: BaseModel) -> None:
    data = adapter_bytes(base)
    before = ServedAdapters(base)
    before.load("ada", data)
    bank = LoraBank(base.model, base.identity)
    bank.create("learning", SHAPE, seed=2)
    during = ServedAdapters(base)
    during.load("ada", data)
    assert list(during.get("ada").layers) == list(before.get("ada").layers)


def test_what_is_not_an_adapter_of_this_base_is_refused_and_leaves_no_trace(
    load: Load, base: BaseModel
) -> None:
    other, served, data = load("qwen3"), ServedAdapters(base), adapter_bytes(base)
    for wrong, sha256, error in (
        (adapter_bytes(other), None, AdapterMismatch),
        (adapter_bytes(other, identity=base.identity), None, AdapterMismatch),  # claims to be
        (b"no adapter", None, AdapterDamaged),
        (data[:-1], None, AdapterDamaged),
        (data, "0" * 64, AdapterDamaged),
    ):
        with pytest.raises(error):
            served.load("ada", wrong, sha256=sha256)
    assert served.names == frozenset()
    served.load("ada", data, sha256=sha256_hex(data))
    assert served.names == {"ada"}


def test_an_adapter_is_prepared_elsewhere_and_taken_up_at_once(base: BaseModel) -> None:
    served, data = ServedAdapters(base), adapter_bytes(base)
    served.load("ada", data)
    first = served.get("ada")
    with ThreadPoolExecutor(1) as elsewhere:
        prepared = elsewhere.submit(served.prepare, "ada", data).result()
    assert served.get("ada") is first
    served.adopt(prepared)
    assert served.get("ada") is prepared
    assert (served.serves(first), served.serves(prepared)) == (False, True)


def test_one_that_is_dropped_is_unknown(base: BaseModel) -> None:
    served = ServedAdapters(base)
    served.load("ada", adapter_bytes(base))
    served.drop("ada")
    for asked in (served.get, served.drop):
        with pytest.raises(AdapterUnknown):
            asked("ada")
    assert served.names == frozenset()
