"""What a night and an answer take of memory on the CPU, part by part, from a geometry. Pure.

Each part is what the code holds at its worst moment, counted from the code (activations were
compared with torch's own record of every allocation) and added up as bytes that are resident. What
is measured and not counted stands in the constants below. Knows nothing of torch, so that the
service and the command line can ask.
"""

from dataclasses import dataclass

from trainer.geometry import BF16_BYTES, Geometry

FP32_BYTES = 4
# Interpreter, torch, transformers and peft, and the code and scratch of a first training step
# (Linux, x86-64, CPU build of torch 2.13).
PROCESS_BYTES = 330_000_000
VOCABULARY_ENTRY_BYTES = 1200  # of a tokenizer: 36 MB at 32,000 tokens, 178 MB at 152,000
LINEAR_OBJECTS_BYTES = 60_000  # Python's, of one 4-bit layer with an adapter around it
# Of a micro-batch's bytes, beside them: between pieces of different sizes the heap has holes.
# 4 to 18 % were measured with the settings of allocator.py, 30 to 60 % without them.
HOLES_SHARE = 0.15

# As the modules with torch have them; a test compares.
QUERIES_AT_ONCE = 128  # attention.QUERIES
ROOM_WEIGHTS = 1 << 26  # nf4_function.ROOM_WEIGHTS
LOGITS_AT_ONCE = 1 << 24  # head_losses.LOGITS_AT_ONCE
EVALUATED_TOKENS = 2048  # evaluation.TOKENS_AT_ONCE
PREFILL_TOKENS = 512  # generation.PREFILL_TOKENS
CACHE_ROOM_TOKENS, CACHE_ROOM_SHARE = 128, 16  # kv_cache.ROOM_TOKENS, ROOM_SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """A base with the kind of adapter that is trained on it."""

    geometry: Geometry
    rank: int
    dropout: bool = False
    compute_bytes: int = BF16_BYTES  # of a number: 4 on CPUs that multiply no bf16

    @property
    def adapter_parameters(self) -> int:
        """LoRA's A and B of every linear layer."""
        sides = sum(rows + columns for rows, columns in self.geometry.linears)
        return self.geometry.layers * self.rank * sides

    @property
    def adapter_bytes(self) -> int:
        return FP32_BYTES * self.adapter_parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroBatch:
    """Rows that go through the model together, and how much of them is kept."""

    rows: int
    row_tokens: int
    recompute_layers: int = 0

    @property
    def tokens(self) -> int:
        return self.rows * self.row_tokens


# --------------------------------------------------------------------------- what is always there


def process_bytes(geometry: Geometry) -> int:
    """The engine before it has read any weights: libraries, tokenizer, the modules' objects."""
    linears = geometry.layers * len(geometry.linears)
    return (
        PROCESS_BYTES
        + geometry.vocabulary * VOCABULARY_ENTRY_BYTES
        + linears * LINEAR_OBJECTS_BYTES
    )


def base_bytes(adapted: Adapted) -> int:
    """The mapped 4-bit file; where fp32 is computed, embeddings, norms and head are copied."""
    geometry = adapted.geometry
    if adapted.compute_bytes == BF16_BYTES:
        return geometry.weights_bytes
    return geometry.weights_bytes + adapted.compute_bytes * geometry.other_parameters


def room_bytes(adapted: Adapted) -> int:
    """The room in which weights are dequantised: the largest product, or the largest matrix."""
    geometry = adapted.geometry
    most = max(rows * columns for rows, columns in geometry.linears)
    fitting = [size for r, c in geometry.products if (size := r * c) <= ROOM_WEIGHTS]
    return adapted.compute_bytes * max(most, *fitting, 0)


def state_bytes(adapted: Adapted) -> int:
    """fp32 copies of the adapter that a night holds: itself, where it began, its parent's bytes,
    the adapter in use, the summed gradients and AdamW's two moments."""
    return 7 * adapted.adapter_bytes


# --------------------------------------------------------------------------- a micro-batch


def kept_token_bytes(adapted: Adapted) -> int:
    """Of one token in one block for the way back: the inputs of its steps, and nothing else.

    The residual stream and its norm twice, queries, keys and values once they are rotated, what
    attention gives, gates and ups, their product; two inverse norms in fp32.
    """
    g, number = adapted.geometry, adapted.compute_bytes
    kept = number * (4 * g.hidden + g.qkv + g.queries + 3 * g.feed_forward) + 2 * FP32_BYTES
    if not g.silu:
        kept += number * g.feed_forward  # the activated gate
    if g.head_norms:  # transformers' own norm: its input in fp32 and one inverse norm per head
        kept += FP32_BYTES * (g.queries + g.keys + g.heads + g.key_value_heads)
    if adapted.dropout:  # each layer's input once more, dropped out, in both dtypes; A's outputs
        inputs = sum(columns for _, columns in g.linears)
        kept += (number + FP32_BYTES) * inputs + FP32_BYTES * len(g.linears) * adapted.rank
    return kept


def border_token_bytes(adapted: Adapted) -> int:
    """Of one token at the border of a block that runs again: the stream and what is added to it."""
    return adapted.compute_bytes * 2 * adapted.geometry.hidden


def scores_bytes(adapted: Adapted, rows: int, row_tokens: int) -> int:
    """Attention's scores on the way back, where each row is one document (the worst case).

    Of one stretch of queries three are alive at the end: probabilities, their gradient, that of
    the scores. They are still there while the first two of the next stretch are made.
    """
    queries = min(QUERIES_AT_ONCE, row_tokens)
    pairs = [3 * row_tokens]
    if row_tokens > queries:
        pairs.append(3 * (row_tokens - queries) + 2 * row_tokens)
    if rows > 1:
        pairs.append(3 * row_tokens + 2 * queries)
    return adapted.compute_bytes * adapted.geometry.heads * queries * max(pairs)


def block_backward_bytes(adapted: Adapted, batch: MicroBatch) -> int:
    """The most that is alive on the way back through one block, its kept inputs included.

    Either at the activation: gradients of gates, ups and their product and two intermediate
    results, when the product itself is no longer needed. Or in attention, when the feed-forward
    part is done: the gradients of its output and of its input before and after the rotation.
    """
    g, tokens, number = adapted.geometry, batch.tokens, adapted.compute_bytes
    kept = kept_token_bytes(adapted)
    feed_forward = tokens * (kept + number * (g.hidden + 4 * g.feed_forward))
    done = 3 * g.feed_forward + 2 * g.hidden
    attention = tokens * (kept + number * (g.queries + g.qkv + g.hidden - done))
    return max(feed_forward, attention + scores_bytes(adapted, batch.rows, batch.row_tokens))


def loss_bytes(adapted: Adapted, tokens: int) -> int:
    """States before the head and their gradient, and logits for some of them in fp32.

    A general row's divergence needs more than a text's cross-entropy: distributions of the base
    and of the model, and those of the piece before, until they are replaced.
    """
    g = adapted.geometry
    at_once = min(tokens, max(1, LOGITS_AT_ONCE // g.vocabulary))
    copies = 16 if tokens <= at_once else 20
    return adapted.compute_bytes * 4 * g.hidden * tokens + copies * g.vocabulary * at_once


def micro_batch_bytes(adapted: Adapted, batch: MicroBatch) -> int:
    """The most that a micro-batch adds: at the loss, at the last block on the way back, or at the
    last one that runs again, when gradients of the blocks above it are there already."""
    layers = adapted.geometry.layers
    kept_layers = layers - batch.recompute_layers
    borders = batch.recompute_layers * batch.tokens * border_token_bytes(adapted)
    kept = batch.tokens * kept_token_bytes(adapted)
    one_block = block_backward_bytes(adapted, batch)
    moments = [borders + kept_layers * kept + loss_bytes(adapted, batch.tokens)]
    if kept_layers:
        moments.append(borders + (kept_layers - 1) * kept + one_block)
    if batch.recompute_layers:
        gradients = adapted.adapter_bytes * kept_layers // layers
        moments.append(borders + one_block + gradients)
    moments.append(adapted.adapter_bytes)  # at the end all gradients, and nothing else
    return round(max(moments) * (1 + HOLES_SHARE))


# --------------------------------------------------------------------------- sums


def resident_bytes(adapted: Adapted) -> int:
    """What a night holds between two micro-batches."""
    return (
        process_bytes(adapted.geometry)
        + base_bytes(adapted)
        + room_bytes(adapted)
        + state_bytes(adapted)
    )


def training_bytes(adapted: Adapted, batch: MicroBatch) -> int:
    """The engine's peak over a night: a step of training, a checkpoint, or judging."""
    checkpoint = 2 * 4 * adapted.adapter_bytes  # adapter, gradients and moments, twice as bytes
    return resident_bytes(adapted) + max(
        micro_batch_bytes(adapted, batch), checkpoint, evaluation_bytes(adapted)
    )


def evaluation_bytes(adapted: Adapted) -> int:
    """Rows that only go forward: the widest step of a block, then the loss."""
    return max(
        forward_bytes(adapted, EVALUATED_TOKENS, EVALUATED_TOKENS),
        loss_bytes(adapted, EVALUATED_TOKENS),
    )


def forward_bytes(adapted: Adapted, tokens: int, keys: int) -> int:
    """The widest step of a block without gradients: gates, ups and their product, or attention."""
    g, number = adapted.geometry, adapted.compute_bytes
    feed_forward = tokens * (2 * g.hidden + 3 * g.feed_forward)
    scores = 3 * g.heads * min(QUERIES_AT_ONCE, tokens) * keys
    attention = tokens * (2 * g.hidden + 2 * g.qkv + g.queries) + scores
    return number * max(feed_forward, attention)


def cache_bytes(adapted: Adapted, rows: int, tokens: int) -> int:
    """Keys and values of so many rows of so many tokens, with the room that is made beyond."""
    g = adapted.geometry
    room = tokens + max(CACHE_ROOM_TOKENS, tokens // CACHE_ROOM_SHARE)
    return 2 * adapted.compute_bytes * g.layers * g.keys * room * rows


def serving_bytes(adapted: Adapted, context_tokens: int) -> int:
    """The engine's peak while it answers at the end of such a context with an adapter.

    Of embeddings that are not the head as well, only those rows are read that the context has.
    """
    geometry = adapted.geometry
    resident = process_bytes(geometry) + base_bytes(adapted) + room_bytes(adapted)
    if not geometry.tied:
        unread = max(0, geometry.vocabulary - context_tokens)
        resident -= unread * geometry.hidden * adapted.compute_bytes
    cache = cache_bytes(adapted, 1, context_tokens)
    forward = forward_bytes(adapted, PREFILL_TOKENS, context_tokens)
    return resident + adapted.adapter_bytes + cache + forward
