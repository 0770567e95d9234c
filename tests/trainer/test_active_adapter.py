"""One served adapter for whole passes: what it says is what training's own layers say."""

import pytest
import torch

from trainer.active_adapter import active
from trainer.adapter_format import LoraShape
from trainer.base_model import BaseModel, load_base
from trainer.bench.adapter_values import set_adapter
from trainer.builtin_base import BUILTIN_BASE
from trainer.decoding import Decoder
from trainer.lora import LoraBank
from trainer.served_adapters import ServedAdapters


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(BUILTIN_BASE)


def logits(base: BaseModel, tokens: int) -> torch.Tensor:
    """After a prompt: many tokens go through a dequantised copy, few straight through the codes."""
    return Decoder(base.model).prefill([[*range(5, 5 + tokens)]])


@pytest.mark.parametrize("tokens", [4, 40])
def test_a_served_adapter_says_what_it_said_when_it_was_trained(
    base: BaseModel, tokens: int
) -> None:
    plain = logits(base, tokens)
    bank, served = LoraBank(base.model, base.identity), ServedAdapters(base)
    bank.create("made", LoraShape(rank=4, alpha=8.0), seed=1)
    set_adapter(bank.parameters("made"), learned=True)
    with bank.serving("made"):
        trained = logits(base, tokens)
    served.load("judged", bank.save("made"))

    with bank.serving(None), active(served.get("judged")):  # beside layers that training has put in
        beside = logits(base, tokens)
    bank.drop("made")
    with active(served.get("judged")):
        alone = logits(base, tokens)

    assert torch.equal(beside, trained)
    assert torch.equal(alone, trained)
    assert not torch.equal(trained, plain)
    assert torch.equal(logits(base, tokens), plain), "and nothing of it stays"
