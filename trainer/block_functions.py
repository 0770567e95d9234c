"""What stands between the products of a block, each as one autograd function that keeps little.

Formulas are those of Llama: y = x / sqrt(mean(x^2) + eps) * w (RMSNorm, arXiv 1910.07467) and
silu(gate) * up (SwiGLU, arXiv 2002.05202). Numbers are rounded where transformers rounds them.
"""

from typing import Any

import torch

aten = torch.ops.aten

FEW_ROWS = 16  # nf4.MOST_ROWS
DIVIDED_NUMBERS = 32768  # from so many on torch divides a tensor (at::internal::GRAIN_SIZE)


def add_norm(
    h: torch.Tensor, delta: torch.Tensor | None, weight: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The residual stream with what a block adds to it, and its norm.

    Args:
        h: (rows, hidden).
        delta: likewise; None before the first block.

    Returns:
        h + delta and rms_norm(h + delta), (rows, hidden) each.
    """
    if not torch.is_grad_enabled():
        added = h if delta is None else h + delta
        return added, _normed(added, weight, _inverse_rms(added, eps))
    found: tuple[torch.Tensor, torch.Tensor] = _AddNorm.apply(h, delta, weight, eps)  # type: ignore[no-untyped-call]
    return found


class _AddNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, h: torch.Tensor, delta: torch.Tensor | None, weight: torch.Tensor, eps: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        added = h.view_as(h) if delta is None else h + delta
        inverse = _inverse_rms(added, eps)
        ctx.save_for_backward(added, weight, inverse)
        ctx.set_materialize_grads(False)
        return added, _normed(added, weight, inverse)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        beside, dy = gradients
        x, weight, inverse = ctx.saved_tensors
        if dy is None:
            return beside, beside, None, None
        # dx = r g - x r^3 mean(g x), with g = dy w and r the inverse of the root mean square
        g = (dy * weight).float()
        wide = x.float()
        mean = torch.linalg.vecdot(g, wide).div_(x.shape[-1]).unsqueeze(-1)
        dx = g.sub_(wide.mul_(mean * inverse * inverse)).mul_(inverse)
        dx = dx.to(x.dtype)
        if beside is not None:
            dx += beside
        return dx, dx, None, None


def _inverse_rms(x: torch.Tensor, eps: float) -> torch.Tensor:
    """1 / sqrt(mean(x^2) + eps) of each row: (rows, 1) fp32."""
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
    inverse: torch.Tensor = norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
    return inverse


def _normed(x: torch.Tensor, weight: torch.Tensor, inverse: torch.Tensor) -> torch.Tensor:
    scaled: torch.Tensor = (x * inverse).to(x.dtype)
    return scaled.mul_(weight)


def swiglu(gate_up: torch.Tensor) -> torch.Tensor:
    """silu(gate) * up of (rows, 2 * intermediate), gates first: (rows, intermediate).

    Of few rows without gradients each is what it is alone: where torch divides one tensor among
    threads, numbers at the seams are rounded otherwise.
    """
    if not torch.is_grad_enabled():
        gate, up = gate_up.chunk(2, dim=-1)
        if 1 < len(gate) <= FEW_ROWS and gate.numel() >= DIVIDED_NUMBERS:
            return torch.stack([torch.nn.functional.silu(row) for row in gate]).mul_(up)
        return torch.nn.functional.silu(gate).mul_(up)
    found: torch.Tensor = _SwiGlu.apply(gate_up)  # type: ignore[no-untyped-call]
    return found


class _SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(gate_up)
        gate, up = gate_up.chunk(2, dim=-1)
        return torch.nn.functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (dy,) = gradients
        (gate_up,) = ctx.saved_tensors
        gate, up = gate_up.chunk(2, dim=-1)
        found = torch.empty_like(gate_up)
        d_gate, d_up = found.chunk(2, dim=-1)
        torch.mul(torch.nn.functional.silu(gate), dy, out=d_up)
        d_gate.copy_(aten.silu_backward(dy * up, gate))
        return found
