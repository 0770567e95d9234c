"""Stopping between layers: a flag that is looked at wherever a layer begins or ends.

While rows go forward or their gradients come back, every layer's border asks `wanted`; when it
says yes, the pass is abandoned by an exception and nothing of it counts.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


class BorderReached(Exception):  # noqa: N818 - not an error: the model was asked for
    """Somebody wants the model; the running micro-batch is dropped."""


@contextmanager
def watched_borders(layers: torch.nn.ModuleList, wanted: Callable[[], bool]) -> Iterator[None]:
    """Inside, each border of `layers` raises `BorderReached` when `wanted()`; both directions."""

    def check() -> None:
        if wanted():
            raise BorderReached

    def on_gradient(gradient: torch.Tensor) -> None:
        check()

    def before(module: torch.nn.Module, inputs: Any) -> None:
        check()

    def after(module: torch.nn.Module, inputs: Any, output: Any) -> None:
        hidden = output[0] if isinstance(output, tuple) else output
        if hidden.requires_grad:
            hidden.register_hook(on_gradient)

    handles = [layer.register_forward_pre_hook(before) for layer in layers]
    handles += [layer.register_forward_hook(after) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
