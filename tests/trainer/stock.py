"""The stock way, to compare with: transformers + peft + bitsandbytes on the same folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import peft
import torch
from bitsandbytes.nn.modules import Linear4bit
from transformers import AutoModelForCausalLM

from trainer.adapter_format import LoraShape
from trainer.lora import known_warnings_silenced
from trainer.nf4_linear import LinearShape, _bitsandbytes_linear


def stock_model(folder: Path, dtype: torch.dtype) -> Any:
    """The folder as transformers loads it, with bitsandbytes' layers."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype)
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.compute_dtype = dtype
            assert module.quant_state is not None
            module.quant_state.dtype = dtype
            module.compute_type_is_set = True
            # else it repacks its weights in eval mode and cannot train
            module.support_avx512bf16_for_cpu = False
    return model


def with_adapter(model: Any, shape: LoraShape) -> Any:
    """peft's layers around all linear layers of the blocks."""
    config = peft.LoraConfig(
        r=shape.rank, lora_alpha=int(shape.alpha), use_rslora=shape.rslora, bias="none",
        lora_dropout=shape.dropout, target_modules=[
            "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"
        ],
    )  # fmt: skip
    with known_warnings_silenced():
        return peft.get_peft_model(model, config)


def stock_layer(
    stored: Mapping[str, torch.Tensor],
    shape: LinearShape,
    *,
    bias: torch.Tensor | None,
    dtype: torch.dtype,
) -> Linear4bit:
    """One layer as bitsandbytes has it, in the mode in which it can train."""
    layer = _bitsandbytes_linear(
        {name.removeprefix("weight."): part.clone() for name, part in stored.items()}, shape,
        bias=bias, compute_dtype=dtype, device=torch.device("cpu"),
    )  # fmt: skip
    layer.compute_type_is_set = True
    layer.support_avx512bf16_for_cpu = False
    return layer
