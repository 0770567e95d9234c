"""Makes tiny random models with a tiny tokenizer, as folders that look like those of a hub."""

from pathlib import Path
from typing import Any

import torch

from trainer.builtin.tokenizer import train_tokenizer
from trainer.stock_models import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

CONTEXT_TOKENS = 256
TEXT = (
    "The bees came back to the garden before the rain, and the old keeper counted them twice. "
    "She wrote the number into a book, as she did every evening, and went in to her supper. "
    "Where does the keeper live? The keeper lives by the river. "
) * 3
GEOMETRY: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT_TOKENS,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
    "initializer_range": 0.2,  # so that random models are sure of what they say
}
FAMILIES: dict[str, tuple[type[Any], type[Any], dict[str, Any]]] = {
    "llama": (LlamaConfig, LlamaForCausalLM, {"tie_word_embeddings": True}),
    "mistral": (MistralConfig, MistralForCausalLM, {"sliding_window": 48}),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {}),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"head_dim": 32}),
}


def full_precision_folder(
    folder: Path, family: str, *, shard_bytes: int = 10**9, **geometry: Any
) -> Path:
    """Write a random model of a family in bf16 and a byte-level tokenizer; return the folder."""
    tokenizer = train_tokenizer([TEXT], CONTEXT_TOKENS)
    config_class, model_class, extra = FAMILIES[family]
    config = config_class(vocab_size=len(tokenizer), **GEOMETRY | extra | geometry)
    with torch.random.fork_rng():
        torch.manual_seed(11)
        model = model_class(config).to(torch.bfloat16)
        for name, parameter in model.named_parameters():
            if name.endswith(("bias", "norm.weight")):  # they begin as zeros and ones
                parameter.data.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder, max_shard_size=shard_bytes)
    tokenizer.save_pretrained(folder)
    return folder
