"""The sizes of a model: the numbers of a config that decide about memory and time. Pure.

Knows nothing of weights, files or torch, so that the service and the command line can ask.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trainer.base_format import CONFIG_FILE, known_config, read_json

NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)  # a weight with its share of both constants (QLoRA, 3)
BF16_BYTES = 2


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """A decoder of one of the families of `architecture.py`."""

    layers: int
    hidden: int
    feed_forward: int
    heads: int
    key_value_heads: int
    head_size: int
    vocabulary: int
    tied: bool  # embeddings and head are one matrix
    attention_bias: bool = False  # on queries, keys and values (Qwen2)
    output_bias: bool = False  # on what attention gives (Llama, Qwen3)
    mlp_bias: bool = False  # on the three matrices of the feed-forward part (Llama)
    head_norms: bool = False  # on queries and keys (Qwen3)
    silu: bool = True  # the usual activation, for which there is a function that keeps less

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Geometry":
        """Of a config as `base_format.known_config` gives it, with transformers' defaults."""
        heads, kind = config["num_attention_heads"], config["model_type"]
        size = config.get("head_dim") or (128 if kind == "qwen3" else 0)
        keys = config.get("num_key_value_heads", {"llama": heads, "mistral": 8}.get(kind, 32))
        biased = kind in ("llama", "qwen3") and config.get("attention_bias", False)
        return cls(
            layers=config["num_hidden_layers"],
            hidden=config["hidden_size"],
            feed_forward=config["intermediate_size"],
            heads=heads,
            key_value_heads=keys or heads,
            head_size=size or config["hidden_size"] // heads,
            vocabulary=config["vocab_size"],
            tied=config.get("tie_word_embeddings", False),
            attention_bias=kind == "qwen2" or biased,
            output_bias=biased,
            mlp_bias=kind == "llama" and config.get("mlp_bias", False),
            head_norms=kind == "qwen3",
            silu=config.get("hidden_act", "silu") == "silu",
        )

    @property
    def queries(self) -> int:
        """Columns of all heads' queries."""
        return self.heads * self.head_size

    @property
    def keys(self) -> int:
        """Columns of all heads' keys, or of their values."""
        return self.key_value_heads * self.head_size

    @cached_property
    def qkv(self) -> int:
        """Columns of queries, keys and values side by side."""
        return self.queries + 2 * self.keys

    @cached_property
    def linears(self) -> tuple[tuple[int, int], ...]:
        """(out, in) of every matrix of one block: q, k, v, o, gate, up, down."""
        return (
            (self.queries, self.hidden), (self.keys, self.hidden), (self.keys, self.hidden),
            (self.hidden, self.queries), (self.feed_forward, self.hidden),
            (self.feed_forward, self.hidden), (self.hidden, self.feed_forward),
        )  # fmt: skip

    @cached_property
    def products(self) -> tuple[tuple[int, int], ...]:
        """The same as they are multiplied: (q, k, v), o, (gate, up), down."""
        return (
            (self.qkv, self.hidden), (self.hidden, self.queries),
            (2 * self.feed_forward, self.hidden), (self.hidden, self.feed_forward),
        )  # fmt: skip

    @property
    def block_parameters(self) -> int:
        """Of one block, those that are 4-bit in a base."""
        return sum(rows * columns for rows, columns in self.linears)

    @property
    def linear_parameters(self) -> int:
        """All that are 4-bit in a base."""
        return self.layers * self.block_parameters

    @property
    def head_parameters(self) -> int:
        return self.vocabulary * self.hidden

    @property
    def other_parameters(self) -> int:
        """Embeddings, head, norms and biases, which stay bf16."""
        block = 2 * self.hidden
        block += self.qkv if self.attention_bias else 0
        block += self.hidden if self.output_bias else 0
        block += 2 * self.feed_forward + self.hidden if self.mlp_bias else 0
        block += 2 * self.head_size if self.head_norms else 0
        tables = self.head_parameters * (1 if self.tied else 2)
        return tables + self.hidden + self.layers * block

    @property
    def parameters(self) -> int:
        return self.linear_parameters + self.other_parameters

    @cached_property
    def weights_bytes(self) -> int:
        """What the 4-bit base takes on the disk and, mapped, in memory."""
        return round(self.linear_parameters * NF4_BITS / 8 + self.other_parameters * BF16_BYTES)

    @property
    def full_bytes(self) -> int:
        """What a download in bf16 takes."""
        return self.parameters * BF16_BYTES

    @property
    def largest_rank(self) -> int:
        """Of an adapter: a layer's matrix has no higher rank than its shorter side."""
        return min(min(shape) for shape in self.linears)


def read_geometry(folder: Path) -> Geometry:
    """Of a base folder. Raises `BaseError`."""
    return Geometry.of(known_config(read_json(folder / CONFIG_FILE)))
