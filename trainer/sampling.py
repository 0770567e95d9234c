"""From logits to the next token. Pure but for the generator of random numbers it is given.

Each request has a generator of its own, so that answering changes nothing of what a training
run draws, and the same seed gives the same answer. Knows nothing of models or text.

The order is that of transformers' `_get_logits_processor` and of vLLM's `Sampler`: penalties on
the raw logits, then temperature, then top_k, top_p and min_p, each over what the one before left.
Chances are of the raw logits, as vLLM gives them: what the model holds, not how it was asked.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from trainer.errors import BadSampling

MOST_LIKELIEST = 20  # OpenAI's bound of `top_logprobs`
LEAST_LOGPROB = -9999.0  # what OpenAI says in place of minus infinity, which is not JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How tokens are drawn. Temperature 0 is greedy; the defaults are the QLoRA paper's.

    Raises:
        BadSampling: a value is out of range.
    """

    max_tokens: int | None = None  # None: to the end of the context
    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int | None = None  # None: all
    min_p: float = 0.0  # of the likeliest token's probability
    repetition_penalty: float = 1.0  # divides, over prompt and answer
    presence_penalty: float = 0.0  # subtracted once, over the answer
    frequency_penalty: float = 0.0  # subtracted for each time, over the answer
    seed: int | None = None  # None: another answer each time
    stop: tuple[str, ...] = field(default=(), repr=False)
    logprobs: int | None = None  # so many likeliest tokens beside each drawn one; None: not at all

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise BadSampling("max_tokens must be at least 1")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise BadSampling("temperature must be 0 or more")
        if not 0 < self.top_p <= 1:
            raise BadSampling("top_p must be above 0 and at most 1")
        if self.top_k is not None and self.top_k < 1:
            raise BadSampling("top_k must be at least 1")
        if not 0 <= self.min_p <= 1:
            raise BadSampling("min_p must be between 0 and 1")
        if not (math.isfinite(self.repetition_penalty) and self.repetition_penalty > 0):
            raise BadSampling("repetition_penalty must be above 0")
        if not (math.isfinite(self.presence_penalty) and math.isfinite(self.frequency_penalty)):
            raise BadSampling("presence_penalty and frequency_penalty must be numbers")
        if not all(self.stop):
            raise BadSampling("a stop string is empty")
        if self.logprobs is not None and not 0 <= self.logprobs <= MOST_LIKELIEST:
            raise BadSampling(f"logprobs must be between 0 and {MOST_LIKELIEST}")

    @property
    def penalised(self) -> bool:
        """Whether what was said before counts."""
        return (self.repetition_penalty, self.presence_penalty, self.frequency_penalty) != (1, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """How likely a drawn token was, and which were the likeliest in its place."""

    logprob: float
    likeliest: tuple[tuple[int, float], ...] = field(repr=False)  # with logprobs, in their order


@dataclass(frozen=True, slots=True)
class Drawn:
    """A token of one row; `chances` only where they were asked for."""

    token: int = field(repr=False)
    chances: Chances | None = None


class Seen:
    """What one row has said so far, as far as penalties need it.

    Args:
        prompt: its tokens.
        vocabulary: ids from here on are never drawn.
    """

    def __init__(
        self,
        prompt: Sequence[int],
        vocabulary: int,
        *,
        device: torch.device | None = None,
    ) -> None:
        # both (vocabulary,)
        self._said = torch.zeros(vocabulary, dtype=torch.bool, device=device)
        self._times = torch.zeros(vocabulary, dtype=torch.float32, device=device)
        known = torch.tensor([token for token in set(prompt) if token < vocabulary])
        self._said[known.long().to(device)] = True

    def push(self, token: int) -> None:
        """It was drawn."""
        self._said[token] = True
        self._times[token] += 1

    def penalise(self, logits: torch.Tensor, settings: SamplingSettings) -> torch.Tensor:
        """Logits with what was said made less likely.

        Repetition as in CTRL (arXiv 1909.05858, section 4.1) with transformers' care for signs;
        frequency and presence as OpenAI defines them, over the answer alone.

        Args:
            logits: (..., vocabulary) fp32.
        """
        if settings.repetition_penalty != 1:
            penalty = settings.repetition_penalty
            less = torch.where(logits < 0, logits * penalty, logits / penalty)
            logits = torch.where(self._said, less, logits)
        if settings.frequency_penalty or settings.presence_penalty:
            logits = logits - settings.frequency_penalty * self._times
            logits = logits - settings.presence_penalty * (self._times > 0)
        return logits


def generator_for(seed: int | None, device: torch.device) -> torch.Generator:
    """Random numbers of one request; unforeseeable without a seed."""
    generator = torch.Generator(device=device)
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed % 2**63)
    return generator


def draw(
    logits: torch.Tensor, settings: SamplingSettings, generator: torch.Generator, seen: Seen
) -> Drawn:
    """The next token of one row, which `seen` then knows.

    Args:
        logits: (vocabulary,) or (1, vocabulary), of all tokens that may be drawn.
    """
    row = logits.reshape(1, -1)
    token = int(choose(row, settings, generator, seen))
    if settings.penalised:
        seen.push(token)
    if settings.logprobs is None:
        return Drawn(token)
    return Drawn(token, chances_of(row[0], token, settings.logprobs))


def choose(
    logits: torch.Tensor,
    settings: SamplingSettings,
    generator: torch.Generator,
    seen: Seen | None = None,
) -> torch.Tensor:
    """Draw one token per row.

    Args:
        logits: (rows, vocabulary).
        seen: of a single row; without it there are no penalties.

    Returns:
        (rows,) int64.
    """
    if seen is not None and settings.penalised:
        logits = seen.penalise(logits.float(), settings)
    if settings.temperature == 0:
        return logits.argmax(dim=-1)
    scaled = logits.float()
    scaled = (scaled - scaled.amax(dim=-1, keepdim=True)) / settings.temperature
    if settings.top_k is not None:
        scaled = likeliest(scaled, settings.top_k)
    probabilities = scaled.softmax(dim=-1)
    if settings.top_p < 1:
        probabilities = nucleus(probabilities, settings.top_p)
    if settings.min_p > 0:
        probabilities = likely_enough(probabilities, settings.min_p)
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)


def likeliest(logits: torch.Tensor, top_k: int) -> torch.Tensor:
    """Minus infinity for all but the `top_k` largest and those that equal the least of them.

    Args:
        logits: (rows, vocabulary).
    """
    least = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < least, -torch.inf)


def nucleus(probabilities: torch.Tensor, top_p: float) -> torch.Tensor:
    """Keep the fewest likeliest tokens that reach `top_p` together, at least one (Holtzman 2019).

    Of a single row only tokens that can be in it are sorted: all those below
    (1 - top_p) / vocabulary have less than 1 - top_p together, so the rest reaches top_p.

    Args:
        probabilities: (rows, vocabulary); each row sums to one.

    Returns:
        The same with zeros elsewhere; rows do not sum to one.
    """
    rows, vocabulary = probabilities.shape
    if rows > 1:
        places = torch.arange(vocabulary, device=probabilities.device)
    else:  # half of the bound, for sums are rounded
        places = (probabilities[0] >= (1 - top_p) / (2 * vocabulary)).nonzero().squeeze(-1)
    ordered, order = probabilities[:, places].sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(dim=-1) - ordered
    return torch.zeros_like(probabilities).scatter(
        -1, places[order], torch.where(before < top_p, ordered, 0.0)
    )


def likely_enough(probabilities: torch.Tensor, min_p: float) -> torch.Tensor:
    """Zeros for tokens below `min_p` times the likeliest one (arXiv 2407.01082, section 3).

    Args:
        probabilities: (rows, vocabulary); rows need not sum to one.
    """
    least = min_p * probabilities.amax(dim=-1, keepdim=True)
    return torch.where(probabilities < least, 0.0, probabilities)


def chances_of(logits: torch.Tensor, token: int, most: int) -> Chances:
    """The token's logprob, and the `most` likeliest tokens with theirs.

    Args:
        logits: (vocabulary,), raw.
    """
    logprobs = logits.float().log_softmax(dim=-1).nan_to_num(nan=LEAST_LOGPROB)
    logprobs = logprobs.clamp(min=LEAST_LOGPROB)
    values, tokens = logprobs.topk(min(most, len(logprobs)))
    return Chances(
        logprob=float(logprobs[token]),
        likeliest=tuple(zip(tokens.tolist(), values.tolist(), strict=True)),
    )
