"""Losses over the vocabulary that never hold all logits: some rows at a time, there and back.

The gradient of each row depends on that row alone, so it is made while its logits are there and
kept in their place (as Liger, arXiv 2410.10989, and cut cross-entropy, arXiv 2411.09009, do on
GPUs). Logits are rounded where the head rounds them, everything after is fp32.
"""

from collections.abc import Iterator
from typing import Any

import torch

LOGITS_AT_ONCE = 1 << 24  # 64 MiB of fp32


def cross_entropy(states: torch.Tensor, head: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Nats of each target: (rows,) fp32.

    Args:
        states: (rows, hidden).
        head: (vocabulary, hidden), frozen.
        targets: (rows,) int64.
    """
    found: torch.Tensor = _CrossEntropy.apply(states, head, targets)  # type: ignore[no-untyped-call]
    return found


def divergence(states: torch.Tensor, of_base: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
    """KL(base || model) of each row in nats: (rows,) fp32.

    Args:
        states, of_base: (rows, hidden); gradients go to the first.
        head: (vocabulary, hidden), frozen.
    """
    found: torch.Tensor = _Divergence.apply(states, of_base, head)  # type: ignore[no-untyped-call]
    return found


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, head: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        nats = states.new_empty(len(states), dtype=torch.float32)
        gradient = torch.empty_like(states) if states.requires_grad else None
        for some in _pieces(len(states), len(head)):
            logits = _logits(states[some], head)
            wanted = targets[some, None]
            normaliser = logits.logsumexp(-1, keepdim=True)
            nats[some] = (normaliser - logits.gather(-1, wanted))[:, 0]
            if gradient is not None:
                shares = logits.sub_(normaliser).exp_()
                shares.scatter_add_(-1, wanted, shares.new_full(wanted.shape, -1.0))
                gradient[some] = shares.to(states.dtype) @ head
        ctx.save_for_backward(gradient)
        return nats

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return _scaled(ctx, gradients), None, None


class _Divergence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, of_base: torch.Tensor, head: torch.Tensor
    ) -> torch.Tensor:
        nats = states.new_empty(len(states), dtype=torch.float32)
        gradient = torch.empty_like(states) if states.requires_grad else None
        for some in _pieces(len(states), len(head)):
            wanted = torch.log_softmax(_logits(of_base[some], head), dim=-1)
            found = torch.log_softmax(_logits(states[some], head), dim=-1)
            shares = wanted.exp()
            nats[some] = torch.linalg.vecdot(shares, wanted.sub_(found))
            if gradient is not None:
                gradient[some] = found.exp_().sub_(shares).to(states.dtype) @ head
        ctx.save_for_backward(gradient)
        return nats

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return _scaled(ctx, gradients), None, None


def _scaled(ctx: Any, gradients: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """The kept gradient of each row times what its loss weighs."""
    (kept,) = ctx.saved_tensors
    scaled: torch.Tensor = (kept * gradients[0][:, None]).to(kept.dtype)
    return scaled


def _logits(states: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.linear(states, head).float()


def _pieces(rows: int, vocabulary: int) -> Iterator[slice]:
    step = max(1, LOGITS_AT_ONCE // vocabulary)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
