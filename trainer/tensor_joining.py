"""Tensors as the bytes of a safetensors file, copied once; the library's own writer copies thrice.

A checkpoint is several times as large as the adapter, and is made while all else is in memory.
"""

import json
import struct
from collections.abc import Mapping

import torch

ALIGNMENT_BYTES = 8
DTYPES = {
    torch.float64: "F64", torch.int64: "I64", torch.float32: "F32", torch.int32: "I32",
    torch.float16: "F16", torch.bfloat16: "BF16", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


def join_tensors(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
    """Wide dtypes first, then by name, so that equal tensors give equal bytes.

    Raises:
        KeyError: a tensor's dtype is none that we keep.
    """
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    entries: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name, tensor in ordered:
        start, end = end, end + tensor.nbytes
        entries[name] = {
            "dtype": DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % ALIGNMENT_BYTES)
    return b"".join(
        [struct.pack("<Q", len(header)), header, *(_view(tensor) for _, tensor in ordered)]
    )


def _view(tensor: torch.Tensor) -> memoryview:
    """The bytes of a tensor, not copied if it lies contiguous in the CPU's memory."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data
