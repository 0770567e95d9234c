"""The whole state of a training run as bytes: adapter, gradients, optimizer, randomness, cursor.

A safetensors file; scalars stand in its header. Never touches a file: the service seals it.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import safetensors.torch
import torch

from trainer.errors import CheckpointDamaged

FORMAT = "nightloom-checkpoint/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Finished optimizer steps; in the running step, finished micro-batches and their nats."""

    step: int
    micro_batch: int
    nats: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    parameters: dict[str, torch.Tensor] = field(repr=False)
    gradients: dict[str, torch.Tensor] = field(repr=False)
    optimizer: dict[int, dict[str, Any]] = field(repr=False)
    random: torch.Tensor = field(repr=False)
    cursor: Cursor


def pack_checkpoint(
    *,
    parameters: Mapping[str, torch.Tensor],
    gradients: Mapping[str, torch.Tensor],
    optimizer: Mapping[int, Mapping[str, Any]],
    random: torch.Tensor,
    cursor: Cursor,
) -> bytes:
    """Serialise a run's state. `optimizer` is the `state` part of an optimizer's state dict."""
    tensors = {f"parameter/{name}": tensor for name, tensor in parameters.items()}
    tensors |= {f"gradient/{name}": tensor for name, tensor in gradients.items()}
    tensors["random"] = random
    numbers: dict[str, dict[str, float]] = {}
    for index, entries in optimizer.items():
        for key, value in entries.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer/{index}/{key}"] = value
            else:
                numbers.setdefault(str(index), {})[key] = value
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {
        "format": FORMAT,
        "cursor": json.dumps(asdict(cursor)),
        "numbers": json.dumps(numbers),
    }
    return safetensors.torch.save(plain, metadata=metadata)


def unpack_checkpoint(data: bytes, *, names: Sequence[str]) -> Checkpoint:
    """Open a run's state for the parameters `names`.

    Raises:
        CheckpointDamaged: not a whole checkpoint, or one of other parameters.
    """
    try:
        (length,) = struct.unpack("<Q", data[:8])
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        if metadata["format"] != FORMAT:
            raise CheckpointDamaged()
        tensors = safetensors.torch.load(data)
        optimizer: dict[int, dict[str, Any]] = {
            int(index): dict(entries) for index, entries in json.loads(metadata["numbers"]).items()
        }
        for name, tensor in tensors.items():
            if name.startswith("optimizer/"):
                _, index, key = name.split("/", 2)
                optimizer.setdefault(int(index), {})[key] = tensor
        return Checkpoint(
            parameters={name: tensors[f"parameter/{name}"] for name in names},
            gradients={name: tensors[f"gradient/{name}"] for name in names},
            optimizer=optimizer,
            random=tensors["random"],
            cursor=Cursor(**json.loads(metadata["cursor"])),
        )
    except (struct.error, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise CheckpointDamaged() from error
