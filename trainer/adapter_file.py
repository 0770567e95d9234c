"""An adapter as bytes: a safetensors file under PEFT's own names, with its shape in the header.

Never touches a file. What comes in from outside is checked before it counts: format, base,
names, shapes, finite values, digest.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import safetensors.torch
import torch

from storage.records import sha256_hex
from trainer.errors import AdapterDamaged, AdapterMismatch

FORMAT = "nightloom-adapter/1"
MAX_HEADER_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraShape:
    """What must be equal for two adapters to hold the same tensors, and how they are scaled.

    `rslora` scales by alpha / sqrt(rank) (arXiv 2312.03732) instead of alpha / rank.
    """

    rank: int = 16
    alpha: float = 16.0
    rslora: bool = True
    dropout: float = 0.05


def pack_adapter(tensors: Mapping[str, torch.Tensor], *, base: str, shape: LoraShape) -> bytes:
    """Serialise LoRA tensors (fp32) with the identity of the base they belong to."""
    metadata = {"format": FORMAT, "base": base, "lora": json.dumps(asdict(shape), sort_keys=True)}
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    return safetensors.torch.save(plain, metadata=metadata)


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
    metadata = _metadata(data)
    if metadata.get("format") != FORMAT:
        raise AdapterDamaged("the format is unknown")
    if metadata.get("base") != base:
        raise AdapterMismatch()
    try:
        shape = LoraShape(**json.loads(metadata["lora"]))
        tensors = safetensors.torch.load(data)
    except (KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise AdapterDamaged("the file is cut off or malformed") from error
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise AdapterDamaged("a value is not a finite number")
    return tensors, shape


def _metadata(data: bytes) -> dict[str, str]:
    """The header of a safetensors file: a length (uint64, little endian), then JSON."""
    if len(data) < 8:
        raise AdapterDamaged("the file is cut off or malformed")
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(len(data) - 8, MAX_HEADER_BYTES):
        raise AdapterDamaged("the file is cut off or malformed")
    try:
        header = json.loads(data[8 : 8 + length])
    except ValueError as error:
        raise AdapterDamaged("the file is cut off or malformed") from error
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else {}
    return metadata if isinstance(metadata, dict) else {}
