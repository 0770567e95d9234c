"""The sizes of a model from its config, against the model code itself."""

import math
from typing import Any

import pytest

from trainer.architecture import block_linears, empty_model, stored_parameters
from trainer.base_format import known_config, read_facts
from trainer.builtin_base import BUILTIN_BASE
from trainer.geometry import Geometry, read_geometry

SMALL: dict[str, Any] = {
    "vocab_size": 512, "hidden_size": 128, "intermediate_size": 320, "num_hidden_layers": 3,
    "num_attention_heads": 4, "max_position_embeddings": 64,
}  # fmt: skip
KINDS: list[dict[str, Any]] = [
    {"model_type": "llama"},
    {"model_type": "llama", "num_key_value_heads": 2, "tie_word_embeddings": True},
    {"model_type": "llama", "head_dim": 64, "attention_bias": True, "mlp_bias": True},
    {"model_type": "mistral", "num_key_value_heads": 1},
    {"model_type": "qwen2", "num_key_value_heads": 2, "tie_word_embeddings": True},
    {"model_type": "qwen3", "num_key_value_heads": 2, "head_dim": 64},
    {"model_type": "qwen3", "num_key_value_heads": 4, "attention_bias": True},
]


def test_the_built_in_base_has_the_sizes_that_it_says() -> None:
    geometry, facts = read_geometry(BUILTIN_BASE), read_facts(BUILTIN_BASE)

    assert geometry.parameters == facts.parameters
    assert geometry.weights_bytes == pytest.approx(facts.weights_bytes, rel=0.02)
    assert (geometry.hidden, geometry.layers, geometry.tied) == (384, 8, True)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
def test_every_family_counts_as_its_code_makes_it(kind: dict[str, Any]) -> None:
    config = known_config(SMALL | kind)
    geometry, model = Geometry.of(config), empty_model(config)
    shapes, linears = stored_parameters(model), block_linears(model)

    assert geometry.parameters == sum(map(math.prod, shapes.values()))
    first = [(one.out_features, one.in_features) for name, one in linears.items() if ".0." in name]
    assert sorted(first) == sorted(geometry.linears)
    assert geometry.largest_rank == min(min(shape) for shape in first)
    multiplied = sum(rows * columns for rows, columns in geometry.products)
    assert multiplied == geometry.block_parameters
