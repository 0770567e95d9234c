"""Bases that are worth having, and which of them suits this machine's memory. Pure.

All are instruct models with an open licence and an architecture that we load. Ids, licences and
geometries are those of the model cards and configs on the hub (looked up in November 2026); no
revision is named, `base add` pins one. What is derived from a geometry is computed here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)  # a weight with its share of both constants (QLoRA, 3)
BF16_BYTES = 2
ADAPTER_RANK = 16  # of the preset `personal`
ADAPTER_BYTES = 16  # fp32 value, gradient and two moments of AdamW per parameter
SERVE_TOKENS = 2048  # of context
TRAIN_TOKENS = 1024  # that go through the model together
PROCESS_BYTES = 700_000_000  # service, engine and their libraries
USABLE_SHARE = 0.7  # of the machine's memory; the rest is for everything else that runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """The numbers of a config that decide about memory."""

    layers: int
    hidden: int
    feed_forward: int
    heads: int
    key_value_heads: int
    head_size: int
    vocabulary: int
    tied: bool  # embeddings and head are one matrix
    attention_bias: bool = False  # on queries, keys and values (Qwen2)
    head_norms: bool = False  # on queries and keys (Qwen3)

    @property
    def linears(self) -> tuple[tuple[int, int], ...]:
        """(out, in) of every matrix of one block."""
        queries = self.heads * self.head_size
        keys = self.key_value_heads * self.head_size
        return (
            (queries, self.hidden), (keys, self.hidden), (keys, self.hidden),
            (self.hidden, queries), (self.feed_forward, self.hidden),
            (self.feed_forward, self.hidden), (self.hidden, self.feed_forward),
        )  # fmt: skip

    @property
    def linear_parameters(self) -> int:
        """Those that are 4-bit in a base."""
        return self.layers * sum(rows * columns for rows, columns in self.linears)

    @property
    def other_parameters(self) -> int:
        """Embeddings, head, norms and biases, which stay bf16."""
        queries, keys = self.heads * self.head_size, self.key_value_heads * self.head_size
        block = 2 * self.hidden
        block += (queries + 2 * keys) if self.attention_bias else 0
        block += 2 * self.head_size if self.head_norms else 0
        tables = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return tables + self.hidden + self.layers * block

    @property
    def parameters(self) -> int:
        return self.linear_parameters + self.other_parameters

    @property
    def weights_bytes(self) -> int:
        """What the 4-bit base takes on the disk and, mapped, in memory."""
        return round(self.linear_parameters * NF4_BITS / 8 + self.other_parameters * BF16_BYTES)

    @property
    def full_bytes(self) -> int:
        """What a download in bf16 takes."""
        return self.parameters * BF16_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes, roughly."""

    serve: int
    train: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model on the hub."""

    repository: str
    licence: str
    context_tokens: int
    geometry: Geometry
    preferred: bool = False  # among those of about its size


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A candidate on a machine."""

    candidate: Candidate
    memory: Memory
    serves: bool
    trains: bool
    recommended: bool  # at most one is


CATALOGUE = (
    Candidate(
        repository="Qwen/Qwen2.5-0.5B-Instruct",
        licence="apache-2.0",
        context_tokens=32_768,
        geometry=Geometry(
            layers=24, hidden=896, feed_forward=4864, heads=14, key_value_heads=2, head_size=64,
            vocabulary=151_936, tied=True, attention_bias=True,
        ),
        preferred=True,
    ),
    Candidate(
        repository="Qwen/Qwen2.5-1.5B-Instruct",
        licence="apache-2.0",
        context_tokens=32_768,
        geometry=Geometry(
            layers=28, hidden=1536, feed_forward=8960, heads=12, key_value_heads=2, head_size=128,
            vocabulary=151_936, tied=True, attention_bias=True,
        ),
        preferred=True,
    ),
    Candidate(
        repository="HuggingFaceTB/SmolLM2-1.7B-Instruct",
        licence="apache-2.0",
        context_tokens=8192,
        geometry=Geometry(
            layers=24, hidden=2048, feed_forward=8192, heads=32, key_value_heads=32, head_size=64,
            vocabulary=49_152, tied=True,
        ),
    ),
    Candidate(
        repository="Qwen/Qwen3-1.7B",
        licence="apache-2.0",
        context_tokens=40_960,
        geometry=Geometry(
            layers=28, hidden=2048, feed_forward=6144, heads=16, key_value_heads=8, head_size=128,
            vocabulary=151_936, tied=True, head_norms=True,
        ),
    ),
    Candidate(
        repository="Qwen/Qwen3-4B-Instruct-2507",
        licence="apache-2.0",
        context_tokens=262_144,
        geometry=Geometry(
            layers=36, hidden=2560, feed_forward=9728, heads=32, key_value_heads=8, head_size=128,
            vocabulary=151_936, tied=True, head_norms=True,
        ),
        preferred=True,
    ),
    Candidate(
        repository="mistralai/Mistral-7B-Instruct-v0.3",
        licence="apache-2.0",
        context_tokens=32_768,
        geometry=Geometry(
            layers=32, hidden=4096, feed_forward=14_336, heads=32, key_value_heads=8,
            head_size=128, vocabulary=32_768, tied=False,
        ),
    ),
    Candidate(
        repository="Qwen/Qwen2.5-7B-Instruct",
        licence="apache-2.0",
        context_tokens=32_768,
        geometry=Geometry(
            layers=28, hidden=3584, feed_forward=18_944, heads=28, key_value_heads=4,
            head_size=128, vocabulary=152_064, tied=False, attention_bias=True,
        ),
        preferred=True,
    ),
    Candidate(
        repository="Qwen/Qwen3-8B",
        licence="apache-2.0",
        context_tokens=40_960,
        geometry=Geometry(
            layers=36, hidden=4096, feed_forward=12_288, heads=32, key_value_heads=8,
            head_size=128, vocabulary=151_936, tied=False, head_norms=True,
        ),
    ),
)  # fmt: skip


def memory_needed(geometry: Geometry) -> Memory:
    """Roughly what the engine needs, to serve at SERVE_TOKENS of context and to train.

    Serving: the weights, keys and values of the context in bf16, the largest matrix in bf16 while
    it is multiplied, the processes. Training: the adapter on every linear layer with its optimizer;
    the input of every block, which is kept for recomputing it; the inside of one block; logits and
    their gradient in fp32. An estimate from the geometry alone, not measured.
    """
    largest = max(rows * columns for rows, columns in geometry.linears) * BF16_BYTES
    serve = geometry.weights_bytes + largest + PROCESS_BYTES
    keys = geometry.key_value_heads * geometry.head_size
    cache = 2 * geometry.layers * keys * SERVE_TOKENS * BF16_BYTES
    per_block = sum(rows + columns for rows, columns in geometry.linears)
    adapter = geometry.layers * ADAPTER_RANK * per_block * ADAPTER_BYTES
    borders = geometry.layers * geometry.hidden * TRAIN_TOKENS * BF16_BYTES
    inside = 2 * per_block * TRAIN_TOKENS * BF16_BYTES
    logits = 2 * geometry.vocabulary * TRAIN_TOKENS * 4
    return Memory(serve=serve + cache, train=serve + adapter + borders + inside + logits)


def judged(machine_bytes: int, catalogue: Iterable[Candidate] = CATALOGUE) -> list[Judged]:
    """Every candidate on a machine with so much memory; recommended is the largest of the
    preferred ones that can be trained.
    """
    usable = machine_bytes * USABLE_SHARE
    needs = {one: memory_needed(one.geometry) for one in catalogue}
    fit = [one for one in needs if one.preferred and needs[one].train <= usable]
    best = max(fit, key=lambda one: one.geometry.parameters, default=None)
    return [
        Judged(
            candidate=one,
            memory=need,
            serves=need.serve <= usable,
            trains=need.train <= usable,
            recommended=one is best,
        )
        for one, need in needs.items()
    ]
