"""The model code for a config: an empty model, which of its layers are 4-bit, what it expects.

The only place that maps our config to transformers' classes; those come with the library, never
with the base. Nothing is allocated: parameters are on the meta device.
"""

from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch.overrides import TorchFunctionMode

from trainer.base_format import ARCHITECTURES, CONFIG_FILE, Config
from trainer.errors import BaseDamaged, UnsupportedArchitecture
from trainer.nf4_linear import LinearShape
from trainer.stock_models import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    no_init_weights,
)

CLASSES: dict[str, tuple[type[PreTrainedConfig], type[PreTrainedModel]]] = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
}


class _RealRanges(TorchFunctionMode):
    """Inside, a range of numbers, as rotary tables begin with, is made on the CPU in any case.

    On the meta device torch would load its compiler for it: 2 s of an engine's start.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.arange:
            kwargs["device"] = "cpu"
        return func(*args, **kwargs)


def empty_model(config: Config) -> PreTrainedModel:
    """The model without weights; its rotary tables, which no file holds, are real and on the CPU.

    Raises:
        BaseDamaged: the config contradicts itself.
    """
    config_class, model_class = CLASSES[config["model_type"]]
    fields = {name: value for name, value in config.items() if name != "model_type"}
    try:
        with torch.device("meta"), _RealRanges(), no_init_weights():
            model: PreTrainedModel = model_class._from_config(
                config_class(**fields), attn_implementation="sdpa"
            )
        decoder = model.get_decoder()
        decoder.rotary_emb = type(decoder.rotary_emb)(model.config)
    except (ValueError, TypeError, KeyError, ZeroDivisionError, StrictDataclassError) as error:
        raise BaseDamaged(CONFIG_FILE, "its numbers contradict each other") from error
    return model


def block_linears(model: PreTrainedModel) -> dict[str, LinearShape]:
    """Every linear layer of every block, by module name; these and no others are 4-bit.

    Raises:
        UnsupportedArchitecture: rows are no multiple of the block of 64 weights.
    """
    decoder = model.get_decoder()
    shapes = {
        f"model.layers.{name}": LinearShape(
            out_features=module.out_features, in_features=module.in_features
        )
        for name, module in decoder.layers.named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    if not all(shape.supported for shape in shapes.values()):
        kind = f"{model.config.model_type} with rows that are no multiple of 64 weights"
        raise UnsupportedArchitecture(kind, ", ".join(ARCHITECTURES.values()))
    return shapes


def stored_parameters(model: PreTrainedModel) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter that a file must hold; a tied head is not among them."""
    return {name: tuple(p.shape) for name, p in model.named_parameters(remove_duplicate=False)
            if not (name == "lm_head.weight" and model.config.tie_word_embeddings)}  # fmt: skip
