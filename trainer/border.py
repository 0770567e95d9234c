"""Stopping between layers: a flag that is looked at wherever a layer begins or ends.

While rows go forward or their gradients come back, every border asks `wanted`; when it says yes,
the pass is abandoned by an exception and nothing of it counts.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch


class BorderReached(Exception):  # noqa: N818 - not an error: the model was asked for
    """Somebody wants the model; the running micro-batch is dropped."""


@dataclass(frozen=True, slots=True)
class Border:
    """Raises `BorderReached` when `wanted()`, on the way forward and on the way back."""

    wanted: Callable[[], bool] = lambda: False

    def check(self) -> None:
        if self.wanted():
            raise BorderReached

    def cross(self, hidden: torch.Tensor) -> torch.Tensor:
        """Between two layers."""
        self.check()
        if hidden.requires_grad:
            hidden.register_hook(lambda gradient: self.check())
        return hidden

    @contextmanager
    def between(self, layers: torch.nn.ModuleList) -> Iterator[None]:
        """Inside, calls of these modules cross the border before and after."""

        def before(module: torch.nn.Module, inputs: Any) -> None:
            self.check()

        def after(module: torch.nn.Module, inputs: Any, output: Any) -> None:
            self.cross(output[0] if isinstance(output, tuple) else output)

        handles = [layer.register_forward_pre_hook(before) for layer in layers]
        handles += [layer.register_forward_hook(after) for layer in layers]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


OPEN = Border()  # nobody stops here
