"""Whether this machine has the memory for a base, to answer and to train, and how. Pure.

What a night really may take is decided when it begins (`night_memory.py`); this is about the
machine as a whole.
"""

from dataclasses import dataclass, replace

from trainer.errors import BudgetTooSmall, RankTooLarge
from trainer.geometry import Geometry
from trainer.memory_plan import TrainingPlan, adapted_base, plan_training
from trainer.memory_terms import serving_bytes
from trainer.sizes import Sizes

SERVE_TOKENS = 2048  # of context, for which memory is stated
USABLE_SHARE = 0.7  # of the machine's memory; the rest is for everything else that runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A base on a machine. Bytes are the engine's, at its peak."""

    serve_bytes: int
    train_bytes: int | None  # with the plan, or the least there could be; None if nothing could
    serves: bool
    plan: TrainingPlan | None  # None where it cannot be trained
    problem: str | None = None  # why it cannot

    @property
    def trains(self) -> bool:
        return self.plan is not None


def usable_bytes(machine_bytes: int, configured: int | None = None) -> int:
    """How much of a machine nightloom may take: as configured, or a share of all."""
    return round(machine_bytes * USABLE_SHARE) if configured is None else configured


def fit(
    geometry: Geometry,
    sizes: Sizes,
    *,
    context_tokens: int,
    usable_bytes: int,
    compute_bytes: int,
) -> Fit:
    """Hold a base against the memory that may be used.

    Args:
        sizes: of the adapter and its rows.
        context_tokens: what the base can read.
        compute_bytes: of a number, as this machine computes.
    """
    served = adapted_base(
        geometry, replace(sizes, rank=min(sizes.rank, geometry.largest_rank)),
        compute_bytes=compute_bytes,
    )  # fmt: skip
    serve_bytes = serving_bytes(served, min(SERVE_TOKENS, context_tokens))
    plan, train_bytes, problem = None, None, None
    try:
        adapted = adapted_base(geometry, sizes, compute_bytes=compute_bytes)
        plan = plan_training(adapted, sizes, usable_bytes)
        train_bytes = plan.peak_bytes
    except RankTooLarge as error:
        problem = str(error)
    except BudgetTooSmall as error:
        train_bytes, problem = error.least_bytes, str(error)
    return Fit(
        serve_bytes=serve_bytes,
        train_bytes=train_bytes,
        serves=serve_bytes <= usable_bytes,
        plan=plan,
        problem=problem,
    )
