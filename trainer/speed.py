"""How many tokens a night will make of a base, from two measured rates. Pure.

A rate is how fast this machine trains a model of a size, counted in multiplications of a weight
(`memory_plan.flops`, dequantisation included), so that one measurement serves every base of about
that size. Small models are measured by themselves: with them it is not the products that count.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from trainer.geometry import Geometry
from trainer.memory_plan import TrainingPlan, flops
from trainer.memory_terms import MicroBatch

NIGHT_SECONDS = 8 * 3600
LARGE_HIDDEN = 1024  # from here on the large rate counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Flops per second (`work` over time) of training, found with a small and a large model."""

    small: float
    large: float

    def to_json(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Raises:
        KeyError, TypeError, ValueError: it is not such a measurement.
        """
        found = cls(small=float(kept["small"]), large=float(kept["large"]))
        if not (0 < found.small < float("inf") and 0 < found.large < float("inf")):
            raise ValueError("a rate is a positive number")
        return found

    def tokens_per_second(self, geometry: Geometry, plan: TrainingPlan) -> float:
        """Of training as planned; judging and samples come on top of a night."""
        rate = self.large if geometry.hidden >= LARGE_HIDDEN else self.small
        return rate / work(geometry, plan.batch, tokens=1)

    def tokens_per_night(self, geometry: Geometry, plan: TrainingPlan) -> float:
        """In eight hours."""
        return NIGHT_SECONDS * self.tokens_per_second(geometry, plan)


def work(geometry: Geometry, batch: MicroBatch, *, tokens: int) -> float:
    """Flops of so many tokens that go through the model in such micro-batches; the head's are
    never recomputed, and it is not quantised."""
    blocks = geometry.linear_parameters * flops(geometry, batch)
    return tokens * (blocks + 4 * geometry.head_parameters)
