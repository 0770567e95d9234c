"""peft's LoRA layer around our 4-bit layer: peft keeps the adapters, the product is ours."""

from collections.abc import Sequence
from typing import Any

import torch

from trainer.nf4_function import Adapter, Part, linear
from trainer.nf4_linear import Nf4Linear
from trainer.stock_models import LoraConfig, LoraLayer


class LoraNf4Linear(torch.nn.Module, LoraLayer):
    """Takes the place of an `Nf4Linear`; one adapter or none is active."""

    def __init__(
        self,
        base_layer: Nf4Linear,
        adapter_name: str,
        *,
        config: LoraConfig,
        r: int,
        lora_alpha: int,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        LoraLayer.__init__(self, base_layer, **kwargs)
        self._active_adapter = adapter_name
        self._adapters: dict[str, Adapter] = {}
        self.update_layer(adapter_name, r, lora_alpha=lora_alpha, config=config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., in_features) to (..., out_features)."""
        part = self.part()
        if part is not None:
            return linear(x, part)
        base, (name,) = self._base(), self.active_adapters
        low = self.lora_A[name](self.lora_dropout[name](x).to(torch.float32))
        beside = self.lora_B[name](low) * self.scaling[name]
        y: torch.Tensor = linear(x, Part(base.matrix, base.bias)) + beside.to(x.dtype)
        return y

    def part(self) -> Part | None:
        """The layer for a product with others; None while dropout makes it one of its own."""
        base = self._base()
        names = [] if self.disable_adapters else self.active_adapters
        if not names:
            return base.part
        (name,) = names
        if self.training and not isinstance(self.lora_dropout[name], torch.nn.Identity):
            return None
        return Part(base.matrix, base.bias, self._adapter(name))

    def delete_adapter(self, adapter_name: str) -> None:
        super().delete_adapter(adapter_name)
        self._adapters.pop(adapter_name, None)

    def _adapter(self, name: str) -> Adapter:
        """Always the same for the same factors, since it keeps what answers are made with."""
        down, up = self.lora_A[name], self.lora_B[name]
        assert isinstance(down, torch.nn.Linear)
        assert isinstance(up, torch.nn.Linear)
        kept = self._adapters.get(name)
        if kept is None or kept.a is not down.weight or kept.b is not up.weight:
            kept = Adapter(down.weight, up.weight, float(self.scaling[name]))
            self._adapters[name] = kept
        return kept

    def _base(self) -> Nf4Linear:
        base = self.base_layer
        assert isinstance(base, Nf4Linear)
        return base


def product(x: torch.Tensor, layers: Sequence[torch.nn.Module]) -> torch.Tensor:
    """The layers' outputs side by side: one product where all of them are ours."""
    parts = [part for layer in layers if (part := _part(layer)) is not None]
    if len(parts) == len(layers):
        return linear(x, *parts)
    outputs = [layer(x) for layer in layers]
    return torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]


def base_layer(layer: torch.nn.Module) -> Nf4Linear:
    """Ours itself, whatever adapters stand around it."""
    if isinstance(layer, LoraNf4Linear):
        layer = layer.base_layer
    assert isinstance(layer, Nf4Linear)
    return layer


def _part(layer: torch.nn.Module) -> Part | None:
    if isinstance(layer, Nf4Linear):
        return layer.part
    return layer.part() if isinstance(layer, LoraNf4Linear) else None


def register(config: LoraConfig) -> None:
    """Let peft put this layer around ours."""
    config._register_custom_module({Nf4Linear: LoraNf4Linear})
