"""What an adapter's bytes say of themselves, as far as it can be read without torch.

A safetensors file under PEFT's own tensor names; format, base and LoRA shape stand in its header,
as JSON in one free word: the library writes several words in an order that changes from run to
run, and equal adapters should have equal digests.
The service reads this of a candidate, the engine of everything that it loads.
"""

import json
import math
from dataclasses import asdict, dataclass

from trainer.errors import AdapterDamaged, AdapterMismatch
from trainer.tensor_header import MalformedHeader, TensorBytes, split_tensor_bytes

FORMAT = "nightloom-adapter/1"
WORD = "nightloom"  # the key in the header's `__metadata__`
RANK_LIMIT = 1024  # ranks beyond that are no adapters any more


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraShape:
    """What must be equal for two adapters to hold the same tensors, and how they are scaled.

    `rslora` scales by alpha / sqrt(rank) (arXiv 2312.03732) instead of alpha / rank.
    """

    rank: int = 16
    alpha: float = 16.0
    rslora: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if type(self.rank) is not int or not 1 <= self.rank <= RANK_LIMIT:
            raise ValueError(f"rank must be a whole number from 1 to {RANK_LIMIT}")
        if type(self.alpha) not in (int, float) or not 0 < self.alpha < math.inf:
            raise ValueError("alpha must be a positive number")
        if type(self.rslora) is not bool:
            raise ValueError("rslora must be true or false")
        if type(self.dropout) not in (int, float) or not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and less than 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterHeader:
    shape: LoraShape
    tensors: TensorBytes


def adapter_metadata(*, base: str, shape: LoraShape) -> dict[str, str]:
    """What goes into the header of an adapter."""
    facts = {"format": FORMAT, "base": base, "lora": asdict(shape)}
    return {WORD: json.dumps(facts, sort_keys=True)}


def read_adapter_header(data: bytes | memoryview, *, base: str) -> AdapterHeader:
    """Read the header of an adapter that must belong to `base`.

    Raises:
        AdapterDamaged: the header is not that of an adapter.
        AdapterMismatch: it belongs to another base.
    """
    try:
        tensors = split_tensor_bytes(data)
        facts = json.loads(tensors.metadata[WORD])
        format_, of_base, lora = facts["format"], facts["base"], facts["lora"]
    except (MalformedHeader, KeyError, TypeError, ValueError, RecursionError):
        raise AdapterDamaged("it is cut off or malformed") from None
    if format_ != FORMAT:
        raise AdapterDamaged("its format is unknown")
    if of_base != base:
        raise AdapterMismatch()
    try:
        shape = LoraShape(**lora)
    except (TypeError, ValueError):
        raise AdapterDamaged("its LoRA settings are malformed") from None
    return AdapterHeader(shape=shape, tensors=tensors)
