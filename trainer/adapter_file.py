"""An adapter's tensors to bytes and back.

Never touches a file. What comes in from outside is checked before it counts: digest, format,
base, types, finite values; names and extents by whoever knows the model (`lora.py`).
"""

import math
from collections.abc import Mapping

import safetensors.torch
import torch

from storage.records import sha256_hex
from trainer.adapter_format import LoraShape, adapter_metadata, read_adapter_header
from trainer.errors import AdapterDamaged
from trainer.tensor_header import TensorBytes

FP32_BYTES = 4
MALFORMED = "it is cut off or malformed"


def pack_adapter(tensors: Mapping[str, torch.Tensor], *, base: str, shape: LoraShape) -> bytes:
    """Serialise LoRA tensors (fp32) with the identity of the base they belong to."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    return safetensors.torch.save(plain, metadata=adapter_metadata(base=base, shape=shape))


def unpack_adapter(
    data: bytes, *, base: str, sha256: str | None = None
) -> tuple[dict[str, torch.Tensor], LoraShape]:
    """Open and check an adapter.

    Args:
        data: the bytes of the file.
        base: identity of the base that it must belong to.
        sha256: digest that it must have, when it is known.

    Raises:
        AdapterDamaged: not a whole adapter file, another digest, or values that are not finite.
        AdapterMismatch: it belongs to another base.
    """
    if sha256 is not None and sha256_hex(data) != sha256:
        raise AdapterDamaged("the digest differs")
    header = read_adapter_header(data, base=base)
    tensors = _tensors(header.tensors)
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise AdapterDamaged("a value is not a finite number")
    return tensors, header.shape


def _tensors(file: TensorBytes) -> dict[str, torch.Tensor]:
    """The values as tensors, which lie one after the other and leave nothing out.

    Copied one by one: in one piece, as the library does it, other threads would stand still for a
    third of a second with the adapter of a 7B.
    """
    found, end = {}, 0
    try:
        for name, entry in sorted(file.entries.items(), key=lambda one: one[1]["data_offsets"]):
            (start, last), shape = entry["data_offsets"], entry["shape"]
            whole = all(type(number) is int and number >= 0 for number in (start, last, *shape))
            if not whole or start != end or last > len(file.values):
                raise AdapterDamaged(MALFORMED)
            if entry["dtype"] != "F32":
                raise AdapterDamaged("a tensor is of another kind")
            if last - start != FP32_BYTES * math.prod(shape):
                raise AdapterDamaged(MALFORMED)
            values = bytearray(file.values[start:last])
            flat = torch.frombuffer(values, dtype=torch.float32) if values else torch.empty(0)
            found[name], end = flat.view(shape), last
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise AdapterDamaged(MALFORMED) from None
    if end != len(file.values):
        raise AdapterDamaged(MALFORMED)
    return found
