"""The header of a safetensors file that lies in memory as bytes; see `tensor_file.py` for disks.

Knows no torch, so that the service can look at what the engine made. The bytes are hostile input:
nothing that the header says is believed here, only that it is one.
"""

import json
import struct
from dataclasses import dataclass, field
from typing import Any

HEADER_LIMIT_BYTES = 16 << 20


class MalformedHeader(Exception):  # noqa: N818 - readers turn it into a sentence
    """The bytes do not begin with a whole safetensors header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorBytes:
    """The parts of a file: free words, one entry per tensor (unchecked), the values."""

    metadata: dict[str, str]
    entries: dict[str, dict[str, Any]]
    values: memoryview = field(repr=False)


def split_tensor_bytes(data: bytes | bytearray | memoryview) -> TensorBytes:
    """Divide a file into its parts; no value is copied.

    Raises:
        MalformedHeader
    """
    view = memoryview(data)
    if len(view) < 8:
        raise MalformedHeader
    (length,) = struct.unpack("<Q", view[:8])
    if length > min(len(view) - 8, HEADER_LIMIT_BYTES):
        raise MalformedHeader
    try:
        header = json.loads(bytes(view[8 : 8 + length]))
    except (ValueError, RecursionError):
        raise MalformedHeader from None  # the reason would quote the header
    if not isinstance(header, dict) or not all(isinstance(one, dict) for one in header.values()):
        raise MalformedHeader
    metadata = header.pop("__metadata__", {})
    if not all(isinstance(word, str) for word in metadata.values()):
        raise MalformedHeader
    return TensorBytes(metadata=metadata, entries=header, values=view[8 + length :])
