"""The safetensors container: where each tensor lies in the file. Knows no torch and no model.

Reading checks everything before anybody uses an offset: a base is hostile input. Writing takes
the tensors in any order and puts each at its place at once, so that a large base never stands
in memory; the library's own writer wants all tensors together.

Container (https://github.com/huggingface/safetensors, "Format"): 8 bytes little-endian length of
the header, JSON header `{name: {dtype, shape, data_offsets}}` padded with spaces, then the data
without holes.
"""

import hashlib
import json
import math
import os
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from trainer.errors import BaseDamaged

BYTES_OF = {"F32": 4, "F16": 2, "BF16": 2, "U8": 1}  # the dtypes that occur in our bases
HEADER_LIMIT_BYTES = 32 * 1024 * 1024
DATA_ALIGNMENT_BYTES = 64  # a cache line, for kernels that read the mapped file


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """One tensor: its kind and the bytes `start` to `start + size` of the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayout:
    """A file's tensors by name, its size, and the digest of all bytes before the data."""

    tensors: Mapping[str, StoredTensor]
    size: int
    header_sha256: str


def read_layout(path: Path) -> FileLayout:
    """Read and check the header; the data stays on the disk.

    Raises:
        BaseDamaged: the file is cut off, or its header is not what the format says.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
        if not 2 <= length <= min(HEADER_LIMIT_BYTES, size - 8):
            raise BaseDamaged(path.name, "it is cut off or no safetensors file")
        header = file.read(length)
    try:
        entries = json.loads(header)
        tensors = {
            name: _stored(entry, data_start=8 + length)
            for name, entry in entries.items()
            if name != "__metadata__"
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BaseDamaged(path.name, "its header is malformed") from error
    end = 8 + length
    for tensor in sorted(tensors.values(), key=lambda one: (one.start, one.size)):
        if tensor.start != end:
            raise BaseDamaged(path.name, "its header is malformed")
        end += tensor.size
    if end != size:
        raise BaseDamaged(path.name, f"it has {size} bytes, its header speaks of {end}")
    digest = hashlib.sha256(prefix + header).hexdigest()
    return FileLayout(tensors=tensors, size=size, header_sha256=digest)


def _stored(entry: Any, *, data_start: int) -> StoredTensor:
    shape = tuple(entry["shape"])
    if not all(type(extent) is int and extent >= 0 for extent in shape):
        raise ValueError
    start, end = entry["data_offsets"]
    size = math.prod(shape) * BYTES_OF[entry["dtype"]]
    if not (type(start) is int and type(end) is int and start >= 0 and end - start == size):
        raise ValueError
    return StoredTensor(dtype=entry["dtype"], shape=shape, start=data_start + start, size=size)


class TensorFileWriter:
    """Write planned tensors, each once, in any order; entering creates the file.

    Args:
        path: the file; it must not exist, unless `now` is given and an earlier writer began it.
        plan: dtype and shape by name. Wider dtypes come first, then larger tensors, so that
            all data is aligned to its dtype.
        now: those of the plan that this writer writes; others write the rest. All by default.
    """

    def __init__(
        self,
        path: Path,
        plan: Mapping[str, tuple[str, tuple[int, ...]]],
        *,
        now: Collection[str] | None = None,
    ) -> None:
        self._path = path
        self._continues = now is not None
        sizes = {name: math.prod(shape) * BYTES_OF[dtype] for name, (dtype, shape) in plan.items()}
        order = sorted(plan, key=lambda name: (-BYTES_OF[plan[name][0]], -sizes[name], name))
        self._spans: dict[str, tuple[int, int]] = {}
        entries, end = {}, 0
        for name in order:
            dtype, shape = plan[name]
            span = end, end + sizes[name]
            entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": span}
            self._spans[name] = span
            end += sizes[name]
        header = json.dumps(entries, separators=(",", ":")).encode()
        header += b" " * (-(8 + len(header)) % DATA_ALIGNMENT_BYTES)
        self._header = struct.pack("<Q", len(header)) + header
        self._missing = set(plan if now is None else now)
        self.size = len(self._header) + end

    @property
    def begun(self) -> bool:
        """Whether the file is there, begun by a writer with the same plan."""
        if not self._path.is_file() or self._path.stat().st_size != self.size:
            return False
        with self._path.open("rb") as file:
            return file.read(len(self._header)) == self._header

    def __enter__(self) -> Self:
        if self._continues and self.begun:
            self._file: BinaryIO = self._path.open("r+b")
            return self
        self._file = self._path.open("xb")
        self._file.write(self._header)
        self._file.truncate(self.size)
        return self

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Put one tensor's bytes at its place."""
        start, end = self._spans[name]
        raw = memoryview(data).cast("B")
        if len(raw) != end - start:
            raise ValueError(f"{name} has {len(raw)} bytes, planned were {end - start}")
        self._missing.remove(name)
        self._file.seek(len(self._header) + start)
        self._file.write(raw)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file:
            if kind is None:
                if self._missing:
                    raise ValueError(f"{len(self._missing)} planned tensors were not written")
                self._file.flush()
                os.fsync(self._file.fileno())
