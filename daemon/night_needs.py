"""What a night takes of memory and disk, before there is one. Without torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.chosen_base import ChosenBase
from daemon.errors import BaseUnusable, UnknownBase
from daemon.night_memory import LEFT_SHARE, compute_bytes
from trainer.errors import BaseError, BudgetTooSmall, PlanError
from trainer.geometry import read_geometry
from trainer.memory_plan import adapted_base, least_bytes, plan_training
from trainer.sizes import sizes_of

CHECKPOINT_COPIES = 4  # of the adapter in fp32: itself, its summed gradients, both moments
RESULT_COPIES = 2  # the candidate, and what is written of it while it is published


@dataclass(frozen=True, slots=True, kw_only=True)
class NightNeeds:
    """Of the smallest night that the configuration and the base allow.

    Args:
        memory_bytes: that have to be free when it begins.
        adapter_bytes: of the adapter that it makes.
        problem: why no memory would be enough, as a sentence.
    """

    memory_bytes: int
    adapter_bytes: int
    problem: str = ""

    @property
    def begin_disk_bytes(self) -> int:
        """A checkpoint is written whole before the one before it goes."""
        return (2 * CHECKPOINT_COPIES + RESULT_COPIES) * self.adapter_bytes

    @property
    def go_on_disk_bytes(self) -> int:
        """When one checkpoint is there already."""
        return (CHECKPOINT_COPIES + RESULT_COPIES) * self.adapter_bytes


Needs = Callable[[], NightNeeds | None]


def needs_of(
    base: ChosenBase, recipe: Mapping[str, Any], *, configured_bytes: int | None = None
) -> Needs:
    """What asks the base in use. None where it cannot be used: the night says so itself.

    Args:
        recipe: as it is configured.
        configured_bytes: the most that the engine may take; None: nearly all that is free.
    """
    known: dict[str, NightNeeds] = {}

    def needs() -> NightNeeds | None:
        try:
            facts = base.facts()
            if facts.identity not in known:
                counted = _count(base, recipe, facts.context_tokens, configured_bytes)
                known.clear()
                known[facts.identity] = counted
        except (UnknownBase, BaseUnusable, BaseError, PlanError):
            return None
        return known[facts.identity]

    return needs


def _count(
    base: ChosenBase, recipe: Mapping[str, Any], context_tokens: int, configured: int | None
) -> NightNeeds:
    """Raises BaseError, PlanError."""
    sizes = sizes_of(recipe, context_tokens=context_tokens)
    adapted = adapted_base(read_geometry(base.folder()), sizes, compute_bytes=compute_bytes())
    if configured is None:
        least = round(least_bytes(adapted, sizes) / (1 - LEFT_SHARE))
        return NightNeeds(memory_bytes=least, adapter_bytes=adapted.adapter_bytes)
    try:
        planned = plan_training(adapted, sizes, configured).peak_bytes
    except BudgetTooSmall as error:
        return NightNeeds(
            memory_bytes=least_bytes(adapted, sizes),
            adapter_bytes=adapted.adapter_bytes,
            problem=str(error),
        )
    return NightNeeds(memory_bytes=planned, adapter_bytes=adapted.adapter_bytes)
