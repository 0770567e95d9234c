"""One night, from text to a verdict: reads like the way of the data.

    plan -> train (checkpoints sealed on the way) -> check -> judge -> publish or refuse

Every step is recorded before the next begins, so that a night that was killed anywhere is taken
up again: from its last checkpoint while it trained, from its candidate's making otherwise. Knows
the vault and the engine by their seams; decides nothing itself (`night_planning`, `trainer.gate`).
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from daemon import night_record
from daemon.chosen_base import answering
from daemon.engine_at_work import EngineAtWork, Stopped
from daemon.engine_handle import EngineHandle
from daemon.errors import (
    EngineError,
    NightError,
    NightForgotten,
)
from daemon.forgetting_nights import void
from daemon.night_holding import ChatTurns, Held
from daemon.night_memory import NightMemory
from daemon.night_planning import TooLittle
from daemon.night_preparing import Foreseen, NightPreparing
from daemon.night_record import NightState, Record
from daemon.night_stages import NightStages
from daemon.night_vault import NightVault
from daemon.running_night import Progress, RunningNight
from daemon.tonight import NightOptions, Tonight
from daemon.vault_door import Door
from storage.errors import StorageError, StorageFull
from storage.records import CandidateAdapter, Passed, Refused
from trainer.base_format import BaseFacts
from trainer.curation_facts import TextFacts
from trainer.errors import BudgetTooSmall, PlanError, RankTooLarge

log = logging.getLogger("nightloom.night")

PLAN_REASONS: dict[type[PlanError], str] = {
    BudgetTooSmall: "too_little_memory",
    RankTooLarge: "rank_too_large",
}

CHECKPOINT_SECONDS = 15.0  # for the last one, when the night shall stop; then the one before counts


async def _nothing_known() -> Mapping[int, TextFacts]:
    return {}


class NightShift:
    """Runs nights, one at a time.

    Args:
        vault: where text comes from and adapters go to.
        engine: trains and judges; not started before there is a plan.
        base: what the engine will load, read without it; asked once a night.
        memory: says how a night trains within the memory that there is.
        options: from the configuration.
        facts: what is known of the vault's documents; asked when a night is planned.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        *,
        vault: Door,
        engine: EngineHandle,
        base: Callable[[], BaseFacts],
        memory: NightMemory,
        options: NightOptions,
        facts: Callable[[], Coroutine[Any, Any, Mapping[int, TextFacts]]] = _nothing_known,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._vault = NightVault(vault)
        self._engine = engine
        self._base = base
        self._options = options
        self._clock = clock
        self._work = EngineAtWork(engine)
        self._preparing = NightPreparing(
            vault=self._vault,
            base=base,
            memory=memory,
            options=options,
            facts=facts,
            clock=clock,
        )
        self._stages = NightStages(
            vault=self._vault, engine=engine, options=options, save=self._save
        )
        self._night: RunningNight | None = None
        self._engine_goes = False
        self.state = NightState.WAITING

    @property
    def held(self) -> Held | None:
        """Why and since when the running night computes nothing."""
        return self._night.held if self._night else None

    @property
    def chat(self) -> ChatTurns | None:
        """What clients' chats take of the running night, as far as they took any."""
        return self._engine.chat if self._night else None

    async def hold(self, reason: str) -> Held | None:
        """Have the running night compute nothing; what is finished stays as it is.

        Returns:
            None where none ran, or where it is not held any more.
        """
        began, night = time.monotonic(), self._night
        was = self.held
        if night is None or not night.hold(reason):
            return None
        if was is None:
            await self._work.hold()
            night.stands_still(time.monotonic() - began)
        return night.held

    async def go_on(self) -> None:
        """Have a held night work on from where it stands."""
        if self._night is not None and self._night.held is not None:
            self._night.go_on()
            await self._work.go_on()

    async def stop(self, *, release: bool = False) -> None:
        """Ask the running night to save a checkpoint and end; it can be taken up again.

        Args:
            release: the engine ends as well, once no client waits for it.
        """
        self._engine_goes = release
        await self._work.stop()

    def give_up(self) -> None:
        """As `stop`, but at once: what was done since the last checkpoint is lost."""
        self._work.give_up()

    @property
    def most_seconds(self) -> float:
        """How long a night may take."""
        return self._options.max_seconds

    async def foresee(self) -> Foreseen:
        """What a night would do that began now, but for what it draws; nothing is kept of it."""
        return await self._preparing.foresee()

    async def run(self, progress: Progress) -> Record:
        """Run a night, or go on with the one that was not finished.

        Returns:
            The night's record; its state says how it ended. Too little text is `waiting`.
        """
        night = self._night = RunningNight(self._clock, progress, self._set_state)
        self._engine.chat = None
        try:
            return await self._run(night)
        except Stopped:
            return await self._yield(night)
        except NightForgotten:
            return self._void(night)
        except PlanError as error:
            return night.waits(PLAN_REASONS.get(type(error), "plan"), str(error))
        except StorageFull as error:
            log.error("the night waits: the disk is full")
            return self._wait_for_room(night, str(error))
        except (EngineError, NightError, StorageError) as error:
            log.error("the night failed: %s", type(error).__name__)
            return await self._fail(night, str(error))
        except Exception as error:
            # the type only: messages of libraries may quote what they were given
            log.error("the night broke: %s", type(error).__name__)
            return await self._fail(night, f"nightloom made a mistake ({type(error).__name__}).")
        finally:
            self._night = None
            await self._work.forget()
            if self._engine_goes:
                self._engine_goes = False
                await self._engine.let_go()
            self.state = NightState.WAITING

    async def _run(self, night: RunningNight) -> Record:
        night.stage(NightState.PREPARING)
        base = await asyncio.to_thread(self._base)
        parent = answering(await self._vault.adapter_in_use(), base.identity)
        plan = await self._preparing.take_up_or_plan(night, base, parent, self._work.undisturbed)
        if isinstance(plan, TooLittle):
            return night.waits("too_little_text", plan.sentence)
        recipe = await self._preparing.fit_into_memory(night, base)
        await self._save(night)
        samples = await self._work.do(lambda: self._stages.samples(night, base))
        tonight = Tonight(
            base=base.identity, parent=parent, plan=plan, recipe=recipe, samples=samples
        )

        await self._enter(night, NightState.TRAINING)
        candidate = await self._work.do(
            lambda: self._stages.train(night, tonight), patience=CHECKPOINT_SECONDS
        )
        await self._enter(night, NightState.JUDGING)
        verdict = await self._work.do(lambda: self._stages.judge(candidate, tonight))
        night.judged(candidate.sha256, verdict.measured)
        if isinstance(verdict, Refused):
            return await self._refuse(night, verdict)
        night.move(NightState.PUBLISHING)
        return await self._publish(night, verdict, candidate, tonight)

    async def _enter(self, night: RunningNight, state: NightState) -> None:
        """Record that a stage begins, before it begins; not while the night is held."""
        await self._work.permitted()
        night.move(state)
        await self._save(night)

    # ------------------------------------------------------------------- the end

    async def _publish(
        self, night: RunningNight, passed: Passed, candidate: CandidateAdapter, tonight: Tonight
    ) -> Record:
        measured = passed.measured
        done = night.ended(
            NightState.DONE,
            "passed",
            None,
            f"The loss on held-out text fell by between {measured.held_out_gain_low:.1%} and "
            f"{measured.held_out_gain_high:.1%}.",
        )
        await self._vault.publish(passed, candidate, tonight.plan, done, trained_at=self._clock())
        night.record = done  # no word of it before the deed is done
        await self._vault.drop_checkpoint(night.id)
        await self._make_room()
        return night.record

    async def _make_room(self) -> None:
        """Adapters within their bounds; what goes wrong here is no failure of the night."""
        try:
            for digest in await self._vault.keep_within(self._options.adapters_bytes):
                await self._engine.drop_adapter(digest)
        except StorageError as error:
            log.error("old adapters could not be cleared: %s", type(error).__name__)

    async def _refuse(self, night: RunningNight, refused: Refused) -> Record:
        night.end(NightState.REFUSED, "refused", refused.reason, refused.sentence)
        await self._save(night)
        await self._vault.drop_checkpoint(night.id)
        await self._engine.drop_adapter(refused.sha256)
        return night.record

    async def _yield(self, night: RunningNight) -> Record:
        """Leave the night as it is, to be taken up again; one without a plan was nothing yet."""
        if night_record.planned(night.record) is None:
            return {**night.record, "state": NightState.WAITING.value}
        night.yields()
        try:
            await self._save(night)
        except NightForgotten:
            return self._void(night)
        return night.record

    def _void(self, night: RunningNight) -> Record:
        """What the night worked with is forgotten, and the ledger says so already."""
        night.record = void(night.timed())
        return night.record

    def _wait_for_room(self, night: RunningNight, sentence: str) -> Record:
        """The ledger and the checkpoint stay as they are, so that it is taken up again."""
        if NightState(night.record["state"]) in night_record.ENDED:
            return night.record  # only what it leaves behind could not be cleared
        return night.waits("disk_full", f"{sentence} The night goes on from its last checkpoint.")

    async def _fail(self, night: RunningNight, sentence: str) -> Record:
        if NightState(night.record["state"]) not in night_record.ENDED:
            night.end(NightState.FAILED, None, "failed", sentence)
            with contextlib.suppress(StorageError, NightForgotten):
                await self._save(night)
                await self._vault.drop_checkpoint(night.id)  # nothing takes it up again
        return night.record

    async def _save(self, night: RunningNight) -> None:
        night.lost("chat", self._engine.take_chat_seconds())
        await self._vault.save(night.timed())

    def _set_state(self, state: NightState) -> None:
        self.state = state
