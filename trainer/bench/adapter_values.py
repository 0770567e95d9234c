"""The same adapter for both sides, whatever their layers are called."""

import zlib
from collections.abc import Mapping

import torch

RANK = 16
B_SIZE = 0.02  # of an adapter that has learned something


def set_adapter(
    parameters: Mapping[str, torch.nn.Parameter], *, learned: bool, seed: int = 0
) -> None:
    """Random A; B random too when the adapter should count, else zero as before training.

    Args:
        parameters: by PEFT's file names; with one seed, equal names get equal values.
    """
    with torch.no_grad():
        for name, parameter in parameters.items():
            generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) + seed)
            if ".lora_A." in name:
                size = parameter.shape[-1] ** -0.5
            else:
                size = B_SIZE if learned else 0.0
            parameter.normal_(generator=generator).mul_(size)
