"""Models by their sizes alone: three that stand for what people have. Pure, without torch."""

from dataclasses import dataclass, replace

from trainer import geometry
from trainer.base_format import Config, known_config
from trainer.geometry import BF16_BYTES

BLOCK, CONSTANTS_BLOCK = 64, 256  # weights per constant, constants per constant of constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """A Llama. `layers` may be fewer than `layers_whole`, to measure a part of a large model."""

    name: str
    hidden: int
    intermediate: int
    layers: int
    layers_whole: int
    heads: int
    kv_heads: int
    vocabulary: int
    context_tokens: int
    tied: bool

    @property
    def head_size(self) -> int:
        return self.hidden // self.heads

    @property
    def config(self) -> Config:
        """As `architecture.empty_model` wants it."""
        return known_config(
            {
                "model_type": "llama",
                "vocab_size": self.vocabulary,
                "hidden_size": self.hidden,
                "intermediate_size": self.intermediate,
                "num_hidden_layers": self.layers,
                "num_attention_heads": self.heads,
                "num_key_value_heads": self.kv_heads,
                "head_dim": self.head_size,
                "max_position_embeddings": self.context_tokens,
                "hidden_act": "silu",
                "rms_norm_eps": 1e-5,
                "rope_theta": 10000.0,
                "tie_word_embeddings": self.tied,
                "attention_bias": False,
                "mlp_bias": False,
                "bos_token_id": None,
                "eos_token_id": None,
                "pad_token_id": None,
            }
        )

    @property
    def plain(self) -> geometry.Geometry:
        """As memory and speed are planned with it."""
        return geometry.Geometry.of(self.config)

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """(out_features, in_features) of one block's linear layers."""
        kv = self.kv_heads * self.head_size
        return {
            "q_proj": (self.hidden, self.hidden),
            "k_proj": (kv, self.hidden),
            "v_proj": (kv, self.hidden),
            "o_proj": (self.hidden, self.hidden),
            "gate_proj": (self.intermediate, self.hidden),
            "up_proj": (self.intermediate, self.hidden),
            "down_proj": (self.hidden, self.intermediate),
        }

    @property
    def block_weights(self) -> int:
        """Weights of one block that multiply every token."""
        return sum(out * in_ for out, in_ in self.linears.values())

    @property
    def head_weights(self) -> int:
        return self.vocabulary * self.hidden

    @property
    def weights(self) -> int:
        """All weights that multiply every token: the blocks' and the head's."""
        return self.layers * self.block_weights + self.head_weights

    @property
    def share_of_whole(self) -> float:
        """Of the whole model's weights, those that are measured."""
        return self.weights / self.whole.weights

    @property
    def part_note(self) -> str:
        """What a figure has to say that was measured on a part."""
        if self.layers == self.layers_whole:
            return ""
        return f"{self.layers} of {self.layers_whole} layers measured, scaled by their weights"

    @property
    def whole(self) -> "Geometry":
        return replace(self, layers=self.layers_whole)

    @property
    def read_bytes(self) -> int:
        """What one token reads of the weights: codes, their constants, and the head."""
        return self.layers * nf4_bytes(self.block_weights) + BF16_BYTES * self.head_weights

    @property
    def base_bytes(self) -> int:
        """All that is stored, norms and tables of values left out."""
        embeddings = 0 if self.tied else BF16_BYTES * self.head_weights
        return self.read_bytes + embeddings

    def kv_bytes(self, tokens: int) -> int:
        """Keys and values of one row."""
        return 2 * self.layers * self.kv_heads * self.head_size * BF16_BYTES * tokens

    def with_layers(self, layers: int | None) -> "Geometry":
        """The first `layers` of it; all for None.

        Raises:
            ValueError: it has fewer.
        """
        if layers is None:
            return self
        if not 1 <= layers <= self.layers_whole:
            raise ValueError(f"{self.name} has {self.layers_whole} layers")
        return replace(self, layers=layers)


def nf4_bytes(weights: int) -> int:
    """Codes and twice quantised constants: 4.127 bits a weight (QLoRA, section 3)."""
    constants = weights // BLOCK
    return weights // 2 + constants + constants // CONSTANTS_BLOCK * 4


GEOMETRIES = {
    one.name: one
    for one in (
        Geometry(  # the built-in base's
            name="tiny", hidden=384, intermediate=1024, layers=8, layers_whole=8, heads=6,
            kv_heads=6, vocabulary=4096, context_tokens=1024, tied=True,
        ),
        Geometry(  # TinyLlama's
            name="1b", hidden=2048, intermediate=5632, layers=22, layers_whole=22, heads=32,
            kv_heads=4, vocabulary=32000, context_tokens=4096, tied=False,
        ),
        Geometry(  # Llama 2's
            name="7b", hidden=4096, intermediate=11008, layers=32, layers_whole=32, heads=32,
            kv_heads=32, vocabulary=32000, context_tokens=4096, tied=False,
        ),
    )
}  # fmt: skip
