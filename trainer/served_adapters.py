"""Adapters that answers are made with: their factors alone, no layers around the base's.

Several versions of an adapter live side by side; a row keeps the one it began with, whatever is
loaded or dropped meanwhile. Preparing one may take place on any thread and touches nothing that
serves; taking it up is one entry of a dictionary. Training has layers of its own (`lora.py`).
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from trainer.adapter_file import unpack_adapter
from trainer.adapter_format import LoraShape
from trainer.base_model import BaseModel
from trainer.errors import AdapterMismatch, AdapterUnknown
from trainer.lora import PREFIX
from trainer.nf4 import MOST_RANK, ServedAdapter
from trainer.nf4_function import Adapter
from trainer.nf4_linear import QUANTISED

_numbers = itertools.count(1)
WRAPPED = ".base_layer"  # at the end of a layer's path where training has put one around it


class PreparedAdapter(Adapter):
    """One layer's factors in the dtype that they are multiplied in, kept once."""

    def __init__(self, a: torch.Tensor, b: torch.Tensor, scale: float, dtype: torch.dtype) -> None:
        if len(a) > MOST_RANK or a.device.type != "cpu":
            super().__init__(a.to(dtype), (b * scale).to(dtype), 1.0)
            return
        made = ServedAdapter(a, b, scale, dtype)
        super().__init__(made.a, made.b[:, : len(a)], 1.0)
        self._made = made

    def served(self, dtype: torch.dtype) -> ServedAdapter:
        assert self._made.a.dtype == dtype
        return self._made


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedAdapter:
    """One adapter as it was loaded once; another of the same name is another one."""

    name: str
    layers: Mapping[torch.nn.Module, PreparedAdapter] = field(repr=False)  # by the base's layers
    number: int = field(default_factory=lambda: next(_numbers))


class ServedAdapters:
    """The adapters on one base that rows can be answered with.

    Args:
        base: its layers may have been wrapped for training; that changes nothing here.
    """

    def __init__(self, base: BaseModel) -> None:
        self._identity = base.identity
        self._dtype = base.compute_dtype
        self._device = base.device
        self._layers = {
            path.removesuffix(WRAPPED): module
            for path, module in base.model.named_modules()
            if isinstance(module, QUANTISED)
        }
        self._loaded: dict[str, LoadedAdapter] = {}

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._loaded)

    def load(self, name: str, data: bytes, *, sha256: str | None = None) -> None:
        """Serve an adapter from bytes; rows with another of that name keep theirs.

        Raises:
            AdapterDamaged, AdapterMismatch: the bytes are not an adapter of this base.
        """
        self.adopt(self.prepare(name, data, sha256=sha256))

    def prepare(self, name: str, data: bytes, *, sha256: str | None = None) -> LoadedAdapter:
        """Check an adapter and lay its factors out, on any thread; nothing serves it yet.

        Raises:
            AdapterDamaged, AdapterMismatch: the bytes are not an adapter of this base.
        """
        tensors, shape = unpack_adapter(data, base=self._identity, sha256=sha256)
        if {key: tuple(tensor.shape) for key, tensor in tensors.items()} != self._extents(shape):
            raise AdapterMismatch()
        scale = shape.alpha / (math.sqrt(shape.rank) if shape.rslora else shape.rank)
        layers: dict[torch.nn.Module, PreparedAdapter] = {}
        for path, module in self._layers.items():
            a = tensors.pop(f"{PREFIX}{path}.lora_A.weight").to(self._device)
            b = tensors.pop(f"{PREFIX}{path}.lora_B.weight").to(self._device)
            layers[module] = PreparedAdapter(a, b, scale, self._dtype)
        return LoadedAdapter(name=name, layers=layers)

    def adopt(self, prepared: LoadedAdapter) -> None:
        """Serve it from now on, in place of one of the same name."""
        self._loaded[prepared.name] = prepared

    def drop(self, name: str) -> None:
        """Serve it no longer; rows that have it go on, and with the last of them it is gone.

        Raises:
            AdapterUnknown
        """
        if self._loaded.pop(name, None) is None:
            raise AdapterUnknown()

    def get(self, name: str) -> LoadedAdapter:
        """The one that rows of this name begin with now.

        Raises:
            AdapterUnknown
        """
        found = self._loaded.get(name)
        if found is None:
            raise AdapterUnknown()
        return found

    def serves(self, adapter: LoadedAdapter) -> bool:
        """Whether new rows can still begin with it."""
        return self._loaded.get(adapter.name) is adapter

    def _extents(self, shape: LoraShape) -> dict[str, tuple[int, int]]:
        """Name and extents of every tensor that an adapter of this shape has on this base."""
        extents = {}
        for path, module in self._layers.items():
            extents[f"{PREFIX}{path}.lora_A.weight"] = (shape.rank, int(module.in_features))
            extents[f"{PREFIX}{path}.lora_B.weight"] = (int(module.out_features), shape.rank)
        return extents
