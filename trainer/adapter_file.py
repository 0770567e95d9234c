"""An adapter's tensors to bytes and back.

Never touches a file. What comes in from outside is checked before it counts: digest, format,
base, types, finite values; names and extents by whoever knows the model (`lora.py`).
"""

from collections.abc import Mapping

import safetensors.torch
import torch

from storage.records import sha256_hex
from trainer.adapter_format import LoraShape, adapter_metadata, read_adapter_header
from trainer.errors import AdapterDamaged


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
    try:
        tensors = safetensors.torch.load(data)
    except (KeyError, TypeError, ValueError, safetensors.SafetensorError):
        raise AdapterDamaged("it is cut off or malformed") from None
    if any(tensor.dtype != torch.float32 for tensor in tensors.values()):
        raise AdapterDamaged("a tensor is of another kind")
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise AdapterDamaged("a value is not a finite number")
    return tensors, header.shape
