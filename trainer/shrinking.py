"""How much of what was learned is kept, so that general ability stays within its bound.

Between where a night began and where it ended lies a line of adapters. Along it divergence from
the base grows like the square of the way and what was learned about like the way itself, so that
going back a little costs less than it saves (WiSE-FT, arXiv 2109.01903, for whole models). The
gate still judges what comes out, on samples that were not used here.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

TRIES = 6  # of shares, each of which costs two passes over samples
NEAR = 1 / 64  # of the way: closer than that is not looked for
ENOUGH = 0.95  # of the budget used up: a fortieth of the way at most is given away
BELOW = 0.99  # of the share at which the budget would just be used up
GROWS_LIKE = 2.0  # the divergence, to this power of the share


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """`share` of the way was kept; `divergence` is what is left of it, in nats per token."""

    share: float
    divergence: float


def shrink_to_budget(
    parameters: Mapping[str, torch.Tensor],
    start: Mapping[str, torch.Tensor],
    divergence: Callable[[], float],
    budget: float,
) -> Shrunk:
    """Move parameters back towards their start until the divergence keeps to its budget.

    Args:
        parameters: where the night ended; changed in place.
        start: where it began, by the same names.
        divergence: measures the adapter as its parameters stand, in nats per token.
        budget: the most that is allowed.
    """
    end = {name: parameter.detach().clone() for name, parameter in parameters.items()}

    def measured(share: float) -> Shrunk:
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(torch.lerp(start[name], end[name], share))
        return Shrunk(share=share, divergence=divergence())

    kept, above = Shrunk(share=0.0, divergence=0.0), Shrunk(share=1.0, divergence=math.nan)
    tried: list[Shrunk] = []
    share = 1.0
    while True:
        last = measured(share)
        tried.append(last)
        if last.divergence <= budget:
            kept = last
        else:
            above = last
        near = kept.share == 1.0 or above.share - kept.share <= NEAR
        if near or kept.divergence >= ENOUGH * budget > 0 or len(tried) > TRIES:
            return last if last is kept else measured(kept.share)
        share = _next_share(tried, kept.share, above.share, budget)


def _next_share(tried: Sequence[Shrunk], low: float, high: float, budget: float) -> float:
    """Where the divergence would use up the budget, if it went on growing as between the last two
    that were tried; the middle where they say nothing."""
    last, before = tried[-1], tried[-2] if len(tried) > 1 else None
    if 0 < last.divergence < math.inf:
        power = GROWS_LIKE if before is None else _power(last, before)
        share = BELOW * last.share * math.pow(budget / last.divergence, 1 / power)
        if low < share < high:
            return share
    return (low + high) / 2


def _power(one: Shrunk, other: Shrunk) -> float:
    """Of the share, that the divergence grows like."""
    if not (0 < other.divergence < math.inf and one.divergence != other.divergence):
        return GROWS_LIKE
    power = math.log(one.divergence / other.divergence) / math.log(one.share / other.share)
    return min(max(power, 0.5), 2 * GROWS_LIKE)
