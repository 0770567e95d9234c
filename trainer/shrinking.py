"""How much of what was learned is kept, so that general ability stays within its bound.

Between where a night began and where it ended lies a line of adapters. Along it divergence from
the base grows like the square of the way and what was learned about like the way itself, so that
going back a little costs less than it saves (WiSE-FT, arXiv 2109.01903, for whole models). The
gate still judges what comes out, on samples that were not used here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

HALVINGS = 6  # of the interval: the share is found to 1/64


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

    def measured(share: float) -> float:
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(torch.lerp(start[name], end[name], share))
        return divergence()

    found = measured(1.0)
    if found <= budget:
        return Shrunk(share=1.0, divergence=found)
    kept, above = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (kept + above) / 2
        if measured(middle) <= budget:
            kept = middle
        else:
            above = middle
    return Shrunk(share=kept, divergence=measured(kept))
