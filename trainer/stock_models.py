"""What we use of transformers and peft: model code, tokenizers, LoRA layers."""

from trainer.lean_imports import lean_imports

with lean_imports():
    from peft import LoraConfig, LoraModel, PeftModel, get_peft_model
    from peft.tuners.lora.layer import LoraLayer
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        MistralConfig,
        MistralForCausalLM,
        PreTrainedConfig,
        PreTrainedModel,
        PreTrainedTokenizerFast,
        Qwen2Config,
        Qwen2ForCausalLM,
        Qwen3Config,
        Qwen3ForCausalLM,
    )
    from transformers.cache_utils import DynamicCache
    from transformers.initialization import no_init_weights

__all__ = [
    "DynamicCache",
    "LlamaConfig",
    "LlamaForCausalLM",
    "LoraConfig",
    "LoraLayer",
    "LoraModel",
    "MistralConfig",
    "MistralForCausalLM",
    "PeftModel",
    "PreTrainedConfig",
    "PreTrainedModel",
    "PreTrainedTokenizerFast",
    "Qwen2Config",
    "Qwen2ForCausalLM",
    "Qwen3Config",
    "Qwen3ForCausalLM",
    "get_peft_model",
    "no_init_weights",
]
