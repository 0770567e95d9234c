"""The whole state of a training run as bytes: adapter, gradients, optimizer, randomness, cursor.

A safetensors file; scalars stand in its header. Never touches a file: the service seals it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import safetensors.torch
import torch

from trainer.errors import CheckpointDamaged
from trainer.tensor_header import MalformedHeader, split_tensor_bytes
from trainer.tensor_joining import join_tensors

FORMAT = "nightloom-checkpoint/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Finished optimizer steps; in the running step, finished micro-batches and their nats."""

    step: int
    micro_batch: int
    nats: float

    def __post_init__(self) -> None:
        if not (type(self.step) is type(self.micro_batch) is int and type(self.nats) is float):
            raise ValueError("a cursor is two whole numbers and a loss")
        if min(self.step, self.micro_batch) < 0:
            raise ValueError("a cursor counts from 0")


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
    metadata = {
        "format": FORMAT,
        "cursor": json.dumps(asdict(cursor)),
        "numbers": json.dumps(numbers),
    }
    return join_tensors(tensors, metadata)


def unpack_checkpoint(data: bytes, *, like: Mapping[str, torch.Tensor]) -> Checkpoint:
    """Open a run's state for parameters of the names and extents of `like`.

    Raises:
        CheckpointDamaged: not a whole checkpoint, or one of other parameters.
    """
    try:
        metadata = split_tensor_bytes(data).metadata
        if metadata["format"] != FORMAT:
            raise CheckpointDamaged()
        tensors = safetensors.torch.load(data)
        return Checkpoint(
            parameters={name: _alike(tensors[f"parameter/{name}"], like[name]) for name in like},
            gradients={name: _alike(tensors[f"gradient/{name}"], like[name]) for name in like},
            optimizer=_optimizer(tensors, json.loads(metadata["numbers"]), list(like.values())),
            random=_alike(tensors["random"], torch.get_rng_state()),
            cursor=Cursor(**json.loads(metadata["cursor"])),
        )
    except (
        KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError,
        MalformedHeader, safetensors.SafetensorError,
    ):  # fmt: skip
        raise CheckpointDamaged() from None


def _optimizer(
    tensors: Mapping[str, torch.Tensor],
    numbers: Mapping[str, Mapping[str, float]],
    parameters: Sequence[torch.Tensor],
) -> dict[int, dict[str, Any]]:
    """State by the parameters' index; counters are single numbers, moments as large as these."""
    state: dict[int, dict[str, Any]] = {int(i): dict(entries) for i, entries in numbers.items()}
    for name, tensor in tensors.items():
        if name.startswith("optimizer/"):
            _, index, key = name.split("/", 2)
            moment = tensor if tensor.numel() == 1 else _alike(tensor, parameters[int(index)])
            state.setdefault(int(index), {})[key] = moment
    if state and sorted(state) != list(range(len(parameters))):
        raise ValueError("an optimizer's state is of all its parameters or of none")
    return state


def _alike(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    if tensor.shape != like.shape or tensor.dtype != like.dtype:
        raise ValueError("another tensor than expected")
    return tensor
