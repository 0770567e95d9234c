"""From logits to the next token. Pure but for the generator of random numbers it is given.

Each request has a generator of its own, so that answering changes nothing of what a training
run draws, and the same seed gives the same answer. Knows nothing of models or text.
"""

import math
from dataclasses import dataclass, field

import torch

from trainer.errors import BadSampling


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How tokens are drawn. Temperature 0 is greedy; the defaults are the QLoRA paper's.

    Raises:
        BadSampling: a value is out of range.
    """

    max_tokens: int | None = None  # None: to the end of the context
    temperature: float = 0.7
    top_p: float = 0.9
    seed: int | None = None  # None: another answer each time
    stop: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise BadSampling("max_tokens must be at least 1")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise BadSampling("temperature must be 0 or more")
        if not 0 < self.top_p <= 1:
            raise BadSampling("top_p must be above 0 and at most 1")
        if not all(self.stop):
            raise BadSampling("a stop string is empty")


def generator_for(seed: int | None, device: torch.device) -> torch.Generator:
    """Random numbers of one request; unforeseeable without a seed."""
    generator = torch.Generator(device=device)
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed % 2**63)
    return generator


def choose(
    logits: torch.Tensor, settings: SamplingSettings, generator: torch.Generator
) -> torch.Tensor:
    """Draw one token per row.

    Args:
        logits: (rows, vocabulary).

    Returns:
        (rows,) int64.
    """
    if settings.temperature == 0:
        return logits.argmax(dim=-1)
    scaled = logits.float()
    scaled = (scaled - scaled.amax(dim=-1, keepdim=True)) / settings.temperature
    probabilities = scaled.softmax(dim=-1)
    if settings.top_p < 1:
        probabilities = nucleus(probabilities, settings.top_p)
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)


def nucleus(probabilities: torch.Tensor, top_p: float) -> torch.Tensor:
    """Keep the fewest likeliest tokens that reach `top_p` together, at least one (Holtzman 2019).

    Args:
        probabilities: (rows, vocabulary).

    Returns:
        The same with zeros elsewhere; rows do not sum to one.
    """
    ordered, places = probabilities.sort(dim=-1, descending=True)
    before = ordered.cumsum(dim=-1) - ordered
    return torch.zeros_like(probabilities).scatter(
        -1, places, torch.where(before < top_p, ordered, 0.0)
    )
