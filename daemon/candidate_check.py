"""Whether the bytes that the engine returned are an adapter: checked without torch.

The engine is less trusted than the service. Format, base, names, shapes, types, the extent of
every tensor and that all values are finite are read off the safetensors file itself before
anything is kept. That the tensors fit the base is asked when they are loaded to be judged.
"""

import itertools
import math
import re
from dataclasses import dataclass
from typing import Any

from daemon.errors import CandidateBroken
from storage.records import sha256_hex
from trainer.adapter_format import read_adapter_header
from trainer.errors import AdapterDamaged, AdapterMismatch
from trainer.tensor_header import TensorBytes

TENSOR_NAME = re.compile(r"base_model\.model\.[\w.]+\.lora_([AB])\.weight", re.ASCII)
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    base: str
    sha256: str
    rank: int | None = None  # None: the one that its own settings say


def check_candidate(data: bytes | memoryview, expected: Expected) -> None:
    """Return if the bytes are a whole, finite adapter of this base and rank.

    Raises:
        CandidateBroken: they are not; the sentence names the rule, never a value.
    """
    if sha256_hex(data) != expected.sha256:
        raise CandidateBroken("its digest differs")
    try:
        header = read_adapter_header(data, base=expected.base)
    except AdapterMismatch:
        raise CandidateBroken("it belongs to another base") from None
    except AdapterDamaged as error:
        raise CandidateBroken(str(error.facts[0])) from None
    if expected.rank not in (None, header.shape.rank):
        raise CandidateBroken("it has another rank")
    _check_tensors(header.tensors, header.shape.rank)
    if not _finite(header.tensors.values):
        raise CandidateBroken("a value is not a finite number")


def _check_tensors(tensors: TensorBytes, rank: int) -> None:
    if not tensors.entries:
        raise CandidateBroken("it holds no tensors")
    halves: dict[str, set[str]] = {}
    extents: list[tuple[int, int]] = []
    for name, entry in tensors.entries.items():
        match = TENSOR_NAME.fullmatch(name)
        if match is None or entry.get("dtype") != "F32":
            raise CandidateBroken("it holds a tensor of another kind")
        half = match.group(1)
        halves.setdefault(name[: match.start(1)], set()).add(half)
        extents.append(_extent(entry, half, rank))
    if any(found != {"A", "B"} for found in halves.values()):
        raise CandidateBroken("a matrix lacks its other half")
    extents.sort()
    if extents[0][0] != 0 or extents[-1][1] != len(tensors.values):
        raise CandidateBroken("its tensors do not fill the file")
    if any(end != start for (_, end), (start, _) in itertools.pairwise(extents)):
        raise CandidateBroken("its tensors overlap or leave gaps")


def _extent(entry: dict[str, Any], half: str, rank: int) -> tuple[int, int]:
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    if not _whole_numbers(shape) or not _whole_numbers(offsets):
        raise CandidateBroken("its header is malformed")
    assert isinstance(shape, list)
    assert isinstance(offsets, list)
    if shape[0 if half == "A" else 1] != rank:
        raise CandidateBroken("a matrix has another rank")
    if offsets[1] - offsets[0] != 4 * shape[0] * shape[1]:
        raise CandidateBroken("a tensor has another size than its shape says")
    return offsets[0], offsets[1]


def _whole_numbers(value: object) -> bool:
    """Two whole numbers, none negative: a shape of a matrix or the ends of its bytes."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(number) is int and number >= 0 for number in value)
    )


def _finite(values: memoryview) -> bool:
    """fsum over a block is finite only if every fp32 in it is: no sum of them overflows fp64."""
    for start in range(0, len(values), BLOCK_BYTES):
        block = bytes(values[start : start + BLOCK_BYTES])
        try:
            if not math.isfinite(math.fsum(memoryview(block).cast("f"))):
                return False
        except (ValueError, OverflowError):  # infinities of both signs
            return False
    return True
