"""The first part of a night: taken up or planned anew, and fitted into the memory that there is.

Asks nothing of the engine.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from daemon import night_record
from daemon.chosen_base import answering
from daemon.errors import BaseUnusable, UnknownBase
from daemon.night_bounds import policy_of_a_night
from daemon.night_memory import NightMemory
from daemon.night_planning import NightPlan, PlanPolicy, TooLittle, Waiting, plan_night
from daemon.night_record import NightState, Record
from daemon.night_vault import NightVault
from daemon.running_night import RunningNight
from daemon.tonight import NightOptions
from storage.records import PublishedAdapter
from trainer.base_format import BaseFacts
from trainer.curation_facts import TextFacts

Facts = Mapping[int, TextFacts]
FindFacts = Callable[[], Coroutine[Any, Any, Facts]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """Every document that there is for a night, and the plan that one would make of them now."""

    waiting: tuple[Waiting, ...]
    plan: NightPlan | TooLittle


class NightPreparing:
    """Args: as of `NightShift`."""

    def __init__(
        self,
        *,
        vault: NightVault,
        base: Callable[[], BaseFacts],
        memory: NightMemory,
        options: NightOptions,
        facts: FindFacts,
        clock: Callable[[], float],
    ) -> None:
        self._vault = vault
        self._base = base
        self._memory = memory
        self._options = options
        self._facts = facts
        self._clock = clock

    async def foresee(self) -> Foreseen:
        """What a night would do that began now, but for what it draws; nothing is kept of it.

        A base that cannot be used has no adapter, so all text is new to it.
        """
        try:
            base = (await asyncio.to_thread(self._base)).identity
        except (UnknownBase, BaseUnusable):
            base = None
        parent = answering(await self._vault.adapter_in_use(), base)
        waiting = await self._vault.waiting(parent, await self._facts())
        policy = self._policy(await self._vault.last_night())
        return Foreseen(waiting=tuple(waiting), plan=plan_night(waiting, policy, seed=0))

    async def take_up_or_plan(
        self,
        night: RunningNight,
        base: BaseFacts,
        parent: PublishedAdapter | None,
        find_facts: Callable[[FindFacts], Coroutine[Any, Any, Facts]],
    ) -> NightPlan | TooLittle:
        """Who trains and who judges.

        Args:
            find_facts: waits for the facts in the night's own way, if they are needed.
        """
        parent_sha = parent.sha256 if parent else None
        old = await self._vault.last_night()
        if old is not None and NightState(old["state"]) in night_record.UNFINISHED:
            kept = night_record.still_valid(
                old,
                base=base.identity,
                parent=parent_sha,
                recipe=self._options.recipe,
                present=await self._vault.present(),
            )
            if kept is not None:
                if not night_record.same_rows(old):
                    await self._vault.drop_checkpoint(old["id"])
                night.takes_up(old)
                return kept
            await self._vault.save(night_record.abandoned(old))
        if old is not None:  # also of one that ended while the disk was full
            await self._vault.drop_checkpoint(old["id"])
        seed = int(self._clock()) & 0x7FFFFFFF
        facts = await find_facts(self._facts)
        waiting = await self._vault.waiting(parent, facts)
        plan = plan_night(waiting, self._policy(old), seed=seed)
        night.begins(base.identity, parent_sha)
        if isinstance(plan, NightPlan):
            night.record = night_record.with_plan(night.record, plan, self._options.recipe)
        return plan

    def _policy(self, last: Record | None) -> PlanPolicy:
        """What this night can read, at the rate of the one before."""
        return policy_of_a_night(
            self._options.plan,
            self._options.recipe,
            tokens_per_second=last["tokens_per_second"] if last else None,
            max_seconds=self._options.max_seconds,
        )

    async def fit_into_memory(self, night: RunningNight, base: BaseFacts) -> dict[str, Any]:
        """The recipe with rows, and recomputed blocks, as memory allows them tonight.

        Raises:
            PlanError: it does not fit; a night that had begun stays as it was left.
        """
        kept = night_record.training_plan(night.record)
        training = await asyncio.to_thread(
            self._memory.plan, self._options.recipe, base.context_tokens, kept
        )
        night.record = night_record.with_training(night.record, training)
        return training.into(self._options.recipe)
