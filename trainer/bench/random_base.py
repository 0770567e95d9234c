"""A random NF4 model, made directly in 4 bits, in memory that several processes map.

The weights are a file without a name: it is gone with the last process that has it open, however
that ends. Codes are uniform, constants vary by a third, and weights are as large as those of
a fresh model, so that all values stay finite. Nothing ever stands in full precision but embeddings
and head.
"""

import json
import mmap
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod

import numpy as np
import torch
from bitsandbytes.functional import create_dynamic_map, get_4bit_type

from trainer.architecture import block_linears, stored_parameters
from trainer.nf4_linear import STATE, STATE_BYTES, LinearShape
from trainer.stock_models import PreTrainedModel

FILE_NAME = "nightloom-bench"
DTYPES = {"U8": torch.uint8, "F32": torch.float32, "BF16": torch.bfloat16}
ALIGNMENT_BYTES = 64
CHUNK_BYTES = 1 << 26
VALUES_RMS = 0.52  # of NF4's 16 values, each as often as the others
CONSTANTS_SPREAD = 0.3

Plan = dict[str, tuple[str, tuple[int, ...]]]
Tensors = dict[str, torch.Tensor]


@contextmanager
def nameless_file() -> Iterator[int]:
    """A file descriptor of an empty file that no folder shows, in memory where that is possible."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create(FILE_NAME)
    else:
        with tempfile.TemporaryFile() as file:
            number = os.dup(file.fileno())
    try:
        yield number
    finally:
        os.close(number)


def plan_of(model: PreTrainedModel) -> Plan:
    """Dtype and shape of every tensor of a base with this (empty) model."""
    plan: Plan = {}
    linears = block_linears(model)
    for name, shape in linears.items():
        plan |= {f"{name}.{part}": kind for part, kind in shape.stored.items()}
    for name, extents in stored_parameters(model).items():
        if name.rpartition(".")[0] not in linears:
            plan[name] = ("BF16", extents)
    return plan


def map_tensors(file: int, plan: Plan, *, write: bool) -> Tensors:
    """The file's tensors, not copied. Who does not write sees private pages, shared until then."""
    places, end = {}, 0
    for name, (dtype, extents) in plan.items():
        places[name] = end
        size = prod(extents) * DTYPES[dtype].itemsize
        end += -(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    if write:
        os.ftruncate(file, end)
    access = mmap.ACCESS_WRITE if write else mmap.ACCESS_COPY
    pages = mmap.mmap(file, end, access=access)
    return {
        name: torch.frombuffer(
            pages, dtype=DTYPES[dtype], count=prod(extents), offset=places[name]
        ).view(extents)
        for name, (dtype, extents) in plan.items()
    }


def fill(tensors: Tensors, linears: Mapping[str, LinearShape], *, seed: int) -> None:
    """Put random weights into the tensors of `plan_of`."""
    rng = np.random.Generator(np.random.SFC64(seed))
    parts_of_linears: set[str] = set()
    for name, shape in linears.items():
        parts = {part: tensors[f"{name}.{part}"] for part in shape.stored}
        fill_linear(parts, shape, rng)
        parts_of_linears |= {f"{name}.{part}" for part in parts}
    for name in tensors.keys() - parts_of_linears:
        tensor = tensors[name]
        if name.endswith("norm.weight"):
            tensor.fill_(1.0)
        else:
            generator = torch.Generator().manual_seed(seed)
            tensor.normal_(std=tensor.shape[-1] ** -0.5, generator=generator)


def fill_linear(
    parts: Mapping[str, torch.Tensor], shape: LinearShape, rng: np.random.Generator
) -> None:
    """Random weights of standard deviation 1 / sqrt(in_features), in the stored form of a layer."""
    _fill_bytes(parts["weight"], rng)
    _fill_bytes(parts["weight.absmax"], rng)
    constant = shape.in_features**-0.5 / VALUES_RMS  # the middle one
    parts["weight.quant_map"].copy_(get_4bit_type("nf4", device="cpu"))
    parts["weight.nested_quant_map"].copy_(create_dynamic_map())
    parts["weight.nested_absmax"].fill_(constant * CONSTANTS_SPREAD)
    state = {
        "quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16",
        "shape": [shape.out_features, shape.in_features],
        "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": constant,
    }  # fmt: skip
    blob = json.dumps(state).encode().ljust(STATE_BYTES)
    parts[STATE].copy_(torch.frombuffer(bytearray(blob), dtype=torch.uint8))


def random_linear(shape: LinearShape, rng: np.random.Generator) -> Tensors:
    """One layer's stored tensors."""
    parts = {
        part: torch.empty(extents, dtype=DTYPES[dtype])
        for part, (dtype, extents) in shape.stored.items()
    }
    fill_linear(parts, shape, rng)
    return parts


def _fill_bytes(tensor: torch.Tensor, rng: np.random.Generator) -> None:
    flat = tensor.view(-1).numpy()
    for start in range(0, len(flat), CHUNK_BYTES):
        some = flat[start : start + CHUNK_BYTES]
        some[:] = np.frombuffer(rng.bytes(len(some)), dtype=np.uint8)
