"""The same base and adapter the stock way: transformers, peft and bitsandbytes' layers."""

from typing import Any

import peft
import torch
from bitsandbytes.nn.modules import Linear4bit, Params4bit

from trainer.adapter_format import LoraShape
from trainer.architecture import block_linears, empty_model
from trainer.base_model import best_compute_dtype
from trainer.bench.adapter_values import RANK, set_adapter
from trainer.bench.geometry import Geometry
from trainer.bench.ours_model import CPU, put_parameters
from trainer.bench.random_base import map_tensors, plan_of
from trainer.lora import known_warnings_silenced
from trainer.nf4_linear import LinearShape


def stock(geometry: Geometry, file: int, *, learned: bool) -> Any:
    """As `from_pretrained` and `get_peft_model` make it of a 4-bit folder, with what suits it best:
    no copies of embeddings or head in fp32, sdpa attention, fp32 adapters."""
    model: Any = empty_model(geometry.config)
    tensors = map_tensors(file, plan_of(model), write=False)
    dtype = best_compute_dtype(CPU)
    for name, shape in block_linears(model).items():
        stored = {part: tensors.pop(f"{name}.{part}") for part in shape.stored}
        model.set_submodule(name, stock_linear(stored, shape, dtype))
    put_parameters(model, tensors, dtype)
    shape_ = LoraShape(rank=RANK)
    config = peft.LoraConfig(
        r=shape_.rank, lora_alpha=int(shape_.alpha), use_rslora=shape_.rslora, bias="none",
        lora_dropout=0.0, target_modules=list(geometry.linears),
    )  # fmt: skip
    with known_warnings_silenced():
        model = peft.get_peft_model(model, config)
    set_adapter(adapter_parameters(model), learned=learned)
    return model


def stock_linear(
    stored: dict[str, torch.Tensor], shape: LinearShape, dtype: torch.dtype
) -> Linear4bit:
    """bitsandbytes' layer around stored tensors, as transformers loads them."""
    parts = {name.removeprefix("weight."): part for name, part in stored.items()}
    layer = Linear4bit(
        shape.in_features, shape.out_features, bias=False, compute_dtype=dtype,
        quant_type="nf4", device="meta",
    )  # fmt: skip
    layer.weight = Params4bit.from_prequantized(
        data=parts.pop("weight"), quantized_stats=parts, device=CPU, module=layer
    )
    layer.weight.quant_state.dtype = dtype
    return layer


def adapter_parameters(model: Any) -> dict[str, torch.nn.Parameter]:
    """Under PEFT's file names, sorted."""
    return {
        name.replace(".default.", "."): parameter
        for name, parameter in sorted(model.named_parameters())
        if ".lora_" in name
    }


def forbid_repacking(model: torch.nn.Module) -> None:
    """In eval mode bitsandbytes repacks weights in place, after which they cannot train."""
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False
