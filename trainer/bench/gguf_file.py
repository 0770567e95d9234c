"""A random Q4_0 model of a geometry as llama.cpp reads it, without its tools.

Container and tensor names: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Blocks as
llama.cpp's quantiser leaves them: all Q4_0, the head Q6_K, norms fp32.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from trainer.bench.geometry import Geometry

ALIGNMENT_BYTES = 32
CHUNK_BLOCKS = 1 << 20
U32, F32_VALUE, STRING = 4, 6, 8  # kinds of metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A tensor type: blocks of `weights` in `size` bytes, each with an fp16 scale at `scale`."""

    number: int
    weights: int
    size: int
    scale: int = 0
    spread: float = 1.0  # of a block's whole numbers, root mean square


F32 = Kind(number=0, weights=1, size=4)
Q4_0 = Kind(number=2, weights=32, size=18, scale=0, spread=4.6)
Q6_K = Kind(number=14, weights=256, size=210, scale=208, spread=18.5 * 73.0)


def write_gguf(file: BinaryIO, geometry: Geometry, *, seed: int = 0) -> None:
    """Write the whole model; memory holds some thousand blocks."""
    tensors = list(_tensors(geometry))
    metadata = _metadata(geometry)
    file.write(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata)))
    for name, value in metadata.items():
        file.write(_string(name) + _value(value))
    end = 0
    for name, (out, in_), kind in tensors:
        extents = (in_,) if out == 1 else (in_, out)
        file.write(_string(name) + struct.pack("<I", len(extents)))
        file.write(struct.pack(f"<{len(extents)}Q", *extents))
        file.write(struct.pack("<IQ", kind.number, end))
        end += -(-out * in_ // kind.weights * kind.size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    file.write(b"\0" * (-file.tell() % ALIGNMENT_BYTES))
    rng = np.random.Generator(np.random.SFC64(seed))
    for _, (out, in_), kind in tensors:
        for piece in _data(out, in_, kind, rng):
            file.write(piece)
        file.write(b"\0" * (-file.tell() % ALIGNMENT_BYTES))
    file.flush()


def _tensors(geometry: Geometry) -> Iterator[tuple[str, tuple[int, int], Kind]]:
    """Name, (out_features, in_features) and type."""
    names = {
        "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output",
        "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down",
    }  # fmt: skip
    norm, table = (1, geometry.hidden), (geometry.vocabulary, geometry.hidden)
    yield "token_embd.weight", table, Q4_0
    for block in range(geometry.layers):
        yield f"blk.{block}.attn_norm.weight", norm, F32
        yield f"blk.{block}.ffn_norm.weight", norm, F32
        for linear, shape in geometry.linears.items():
            yield f"blk.{block}.{names[linear]}.weight", shape, Q4_0
    yield "output_norm.weight", norm, F32
    if not geometry.tied:
        yield "output.weight", table, Q6_K if geometry.hidden % Q6_K.weights == 0 else Q4_0


def _metadata(geometry: Geometry) -> dict[str, str | int | float]:
    return {
        "general.architecture": "llama",
        "general.name": f"random {geometry.name}",
        "llama.vocab_size": geometry.vocabulary,
        "llama.context_length": geometry.context_tokens,
        "llama.embedding_length": geometry.hidden,
        "llama.block_count": geometry.layers,
        "llama.feed_forward_length": geometry.intermediate,
        "llama.rope.dimension_count": geometry.head_size,
        "llama.rope.freq_base": 10000.0,
        "llama.attention.head_count": geometry.heads,
        "llama.attention.head_count_kv": geometry.kv_heads,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "no_vocab",
    }


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: str | float) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", STRING) + _string(value)
    if isinstance(value, int):
        return struct.pack("<II", U32, value)
    return struct.pack("<If", F32_VALUE, value)


def _data(out: int, in_: int, kind: Kind, rng: np.random.Generator) -> Iterator[bytes]:
    if kind is F32:
        yield np.ones(out * in_, dtype="<f4").tobytes()
        return
    scale = np.frombuffer(np.float16(in_**-0.5 / kind.spread).tobytes(), dtype=np.uint8)
    blocks = out * in_ // kind.weights
    for start in range(0, blocks, CHUNK_BLOCKS):
        count = min(CHUNK_BLOCKS, blocks - start)
        raw = np.frombuffer(bytearray(rng.bytes(count * kind.size)), dtype=np.uint8)
        by_block = raw.reshape(count, kind.size)
        by_block[:, kind.scale : kind.scale + 2] = scale
        yield raw.tobytes()
