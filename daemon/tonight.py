"""What a night works with: its options, and what is the same from first step to verdict."""

from dataclasses import dataclass
from typing import Any

from daemon.night_planning import NightPlan, PlanPolicy
from daemon.night_vault import Samples
from storage.records import PublishedAdapter
from trainer.gate import GatePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class NightOptions:
    """What the configuration says about nights."""

    recipe: dict[str, Any]
    plan: PlanPolicy
    gate: GatePolicy
    max_seconds: float
    checkpoint_seconds: float
    adapters_bytes: int | None = None  # then the oldest lose their weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Tonight:
    """What a night works with, the same from its first step to its verdict."""

    base: str  # identity
    parent: PublishedAdapter | None
    plan: NightPlan
    recipe: dict[str, Any]  # with what memory allows in it
    samples: Samples

    @property
    def served(self) -> list[str]:
        """The digest of the adapter that is in use, if there is one."""
        return [self.parent.sha256] if self.parent else []
