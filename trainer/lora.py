"""Several LoRA adapters on one 4-bit base, by name; one or none of them active at a time.

The candidate of the night, the served adapter and older versions share the base's only copy.
Uses peft's layers; saving, loading and checking are ours, since what counts are bytes. Adapters
go around every linear layer of the blocks, which is what recovers 16-bit quality (QLoRA, section
4); those are exactly the base's 4-bit layers.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from trainer.adapter_file import pack_adapter, unpack_adapter
from trainer.adapter_format import LoraShape
from trainer.errors import AdapterMismatch, AdapterUnknown
from trainer.lora_linear import register
from trainer.nf4_linear import QUANTISED
from trainer.stock_models import LoraConfig, LoraModel, PeftModel, PreTrainedModel, get_peft_model

PREFIX = "base_model.model."  # what PEFT's files put before the module's path


class LoraBank:
    """The adapters on one base. Not thread-safe: only the model thread touches it.

    Args:
        model: the 4-bit model; LoRA layers are put around its linears in place.
        base: the base's identity, written into and asked of every adapter.
    """

    def __init__(self, model: PreTrainedModel, base: str) -> None:
        self._model = model
        self._base = base
        self._peft: PeftModel | None = None
        self._shapes: dict[str, LoraShape] = {}
        self._active: str | None = None
        self._active_is_known = False  # not after an adapter came or went
        self._linears = {  # (out_features, in_features) by the module's path
            name: (module.out_features, module.in_features)
            for name, module in model.named_modules()
            if isinstance(module, QUANTISED)
        }

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._shapes)

    def shape(self, name: str) -> LoraShape:
        self._known(name)
        return self._shapes[name]

    def create(self, name: str, shape: LoraShape, *, seed: int) -> None:
        """Add a fresh adapter: A random, B zero, so that it changes nothing yet.

        One that already has this name is forgotten.
        """
        if name in self._shapes:
            self.drop(name)
        config = LoraConfig(
            r=shape.rank,
            lora_alpha=shape.alpha,  # type: ignore[arg-type]  # peft scales by a float as well
            use_rslora=shape.rslora,
            lora_dropout=shape.dropout,
            target_modules=sorted({path.rpartition(".")[2] for path in self._linears}),
            bias="none",
        )
        register(config)
        with torch.random.fork_rng(devices=[]), known_warnings_silenced():
            torch.manual_seed(seed)
            if self._peft is None:
                self._peft = get_peft_model(self._model, config, adapter_name=name)
            else:
                self._peft.add_adapter(name, config)
        self._shapes[name] = shape
        self._active_is_known = False
        for parameter in self.parameters(name).values():
            parameter.data = parameter.data.float()
        self._model.train(self._model.training)  # the new layers as well
        self._rest()

    def load(self, name: str, data: bytes, *, sha256: str | None = None) -> None:
        """Add an adapter from bytes.

        Raises:
            AdapterDamaged, AdapterMismatch: the bytes are not an adapter of this base.
        """
        tensors, shape = unpack_adapter(data, base=self._base, sha256=sha256)
        if {key: tuple(tensor.shape) for key, tensor in tensors.items()} != self._extents(shape):
            raise AdapterMismatch()
        self.create(name, shape, seed=0)
        with torch.no_grad():
            for key, parameter in self.parameters(name).items():
                parameter.copy_(tensors[key])

    def save(self, name: str) -> bytes:
        """The adapter as the bytes that are judged and published."""
        return pack_adapter(self.parameters(name), base=self._base, shape=self.shape(name))

    def drop(self, name: str) -> None:
        """Forget an adapter and its memory."""
        self._known(name)
        del self._shapes[name]
        self._active_is_known = False
        self._tuner.set_adapter([])  # else peft activates another, and warns of it
        self._tuner.delete_adapter(name)
        if not self._shapes:  # peft cannot stay without any: take the layers out again
            self._tuner.unload()
            self._peft = None

    def parameters(self, name: str) -> dict[str, torch.nn.Parameter]:
        """Tensors of one adapter under PEFT's file names, sorted."""
        self._known(name)
        mark = f".{name}."
        return {
            PREFIX + key.removeprefix(PREFIX).replace(mark, "."): parameter
            for key, parameter in sorted(self._model.named_parameters())
            if mark in key and ".lora_" in key
        }

    @contextmanager
    def serving(self, name: str | None) -> Iterator[None]:
        """Inside, the model is in eval mode, without gradients, with this adapter or none."""
        training = self._model.training
        self._activate(name)
        if training:
            self._model.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            if training:
                self._model.train()

    @contextmanager
    def training(self, name: str) -> Iterator[dict[str, torch.nn.Parameter]]:
        """Inside, the model is in train mode and only this adapter wants gradients."""
        self._activate(name)
        self._model.train()
        parameters = self.parameters(name)
        for parameter in parameters.values():
            parameter.requires_grad_(True)
        try:
            yield parameters
        finally:
            self._model.eval()
            self._rest()

    @contextmanager
    def bare(self) -> Iterator[None]:
        """Within `training` or `serving`: the plain base for a moment, without gradients."""
        before = self._model.training
        self._tuner.disable_adapter_layers()
        self._model.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self._model.train(before)
            self._tuner.enable_adapter_layers()

    def _extents(self, shape: LoraShape) -> dict[str, tuple[int, int]]:
        """Name and extents of every tensor that an adapter of this shape has on this base."""
        extents = {}
        for path, (out_features, in_features) in self._linears.items():
            extents[f"{PREFIX}{path}.lora_A.weight"] = (shape.rank, in_features)
            extents[f"{PREFIX}{path}.lora_B.weight"] = (out_features, shape.rank)
        return extents

    def _activate(self, name: str | None) -> None:
        """Make an adapter the active one, or none; costs nothing when it is already."""
        if name is not None:
            self._known(name)
        if self._peft is None or (self._active_is_known and name == self._active):
            return
        if name is None:
            self._tuner.disable_adapter_layers()
        else:
            self._tuner.enable_adapter_layers()
            self._peft.set_adapter(name)
        self._rest()
        self._active, self._active_is_known = name, True

    @property
    def _tuner(self) -> LoraModel:
        assert self._peft is not None
        tuner = self._peft.base_model
        assert isinstance(tuner, LoraModel)
        return tuner

    def _rest(self) -> None:
        """Between uses nothing wants gradients, whatever peft has switched on."""
        for parameter in self._model.parameters():
            parameter.requires_grad_(False)

    def _known(self, name: str) -> None:
        if name not in self._shapes:
            raise AdapterUnknown()


@contextmanager
def known_warnings_silenced() -> Iterator[None]:
    """Inside, two warnings are not shown: peft 0.21 asks transformers 5.23 for a property under its
    old name whenever it wraps a model, and it does not know our layer by itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "`is_gradient_checkpointing` is deprecated", category=FutureWarning
        )
        warnings.filterwarnings("ignore", "Unsupported layer type .*Nf4Linear", UserWarning)
        yield
