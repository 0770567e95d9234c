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
from dataclasses import dataclass
from typing import Any

from daemon import night_record
from daemon.candidate_check import Expected, check_candidate
from daemon.chosen_base import answering
from daemon.engine_at_work import EngineAtWork, Stopped
from daemon.engine_handle import EngineHandle, adapter_name
from daemon.errors import (
    BaseExchanged,
    BaseUnusable,
    EngineDied,
    EngineError,
    EngineFailed,
    NightError,
    NightForgotten,
    UnknownBase,
)
from daemon.forgetting_nights import void
from daemon.night_bounds import policy_of_a_night
from daemon.night_evidence import evidence_from
from daemon.night_holding import ChatTurns, Held
from daemon.night_memory import NightMemory
from daemon.night_planning import NightPlan, PlanPolicy, TooLittle, Waiting, plan_night
from daemon.night_record import NightState, Record
from daemon.night_vault import NightVault, Samples
from daemon.running_night import Progress, RunningNight
from daemon.vault_door import Door
from ipc.link import Message
from storage.errors import FileDamaged, StorageError, StorageFull
from storage.records import CandidateAdapter, Passed, PublishedAdapter, Refused
from trainer.base_format import BaseFacts
from trainer.curation_facts import TextFacts
from trainer.errors import BudgetTooSmall, PlanError, RankTooLarge
from trainer.gate import GatePolicy, judge

log = logging.getLogger("nightloom.night")

PLAN_REASONS: dict[type[PlanError], str] = {
    BudgetTooSmall: "too_little_memory",
    RankTooLarge: "rank_too_large",
}

CHECKPOINT_SECONDS = 15.0  # for the last one, when the night shall stop; then the one before counts
# As trainer/base_samples.py has them; the service does not import what needs numpy.
SAMPLE_COUNT, SAMPLE_TOKENS, SAMPLE_SEED = 96, 512, 20140531


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


async def _nothing_known() -> Mapping[int, TextFacts]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """Every document that there is for a night, and the plan that one would make of them now."""

    waiting: tuple[Waiting, ...]
    plan: NightPlan | TooLittle


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
        self._memory = memory
        self._options = options
        self._facts = facts
        self._clock = clock
        self._work = EngineAtWork(engine)
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
        plan = await self._take_up_or_plan(night, base, parent)
        if isinstance(plan, TooLittle):
            return night.waits("too_little_text", plan.sentence)
        recipe = await self._fit_into_memory(night, base)
        await self._save(night)
        samples = await self._work.do(lambda: self._samples(night, base))
        tonight = Tonight(
            base=base.identity, parent=parent, plan=plan, recipe=recipe, samples=samples
        )

        await self._enter(night, NightState.TRAINING)
        candidate = await self._work.do(
            lambda: self._train_or_start_over(night, tonight), patience=CHECKPOINT_SECONDS
        )
        await self._enter(night, NightState.JUDGING)
        verdict = await self._work.do(lambda: self._judge(candidate, tonight))
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

    # ------------------------------------------------------------------- preparing

    async def _take_up_or_plan(
        self, night: RunningNight, base: BaseFacts, parent: PublishedAdapter | None
    ) -> NightPlan | TooLittle:
        """Who trains and who judges; asks nothing of the engine."""
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
        facts = await self._work.undisturbed(self._facts)
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

    async def _fit_into_memory(self, night: RunningNight, base: BaseFacts) -> dict[str, Any]:
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

    async def _samples(self, night: RunningNight, base: BaseFacts) -> Samples:
        """The base's own samples: general text that needs no outside data, made once per base.

        Raises:
            BaseExchanged: the engine holds another base than its folder does now.
        """
        if (await self._engine.load()).identity != base.identity:
            raise BaseExchanged
        tokens = min(SAMPLE_TOKENS, base.context_tokens)
        kept = await self._vault.samples(base.identity, count=SAMPLE_COUNT, tokens=tokens)
        if kept is not None:
            return kept
        parameters = {"count": SAMPLE_COUNT, "tokens": tokens, "seed": SAMPLE_SEED}
        async for message in self._engine.request("sample", parameters):
            if message.header["event"] == "progress":
                night.tell(NightState.PREPARING, float(message.header["share"]))
        made = Samples(rows=bytes(message.body), count=SAMPLE_COUNT, tokens=tokens)
        await self._vault.keep_samples(base.identity, made)
        return made

    # ------------------------------------------------------------------- training

    async def _train_or_start_over(self, night: RunningNight, tonight: Tonight) -> CandidateAdapter:
        """Train; a checkpoint that does not open costs what it held, and not the night."""
        try:
            return await self._train(night, tonight)
        except (FileDamaged, EngineFailed) as error:
            if isinstance(error, EngineFailed) and error.code != "CheckpointDamaged":
                raise
            log.warning("the checkpoint is damaged; the night starts again from its beginning")
            await self._vault.drop_checkpoint(night.id)
            return await self._train(night, tonight)

    async def _train(self, night: RunningNight, tonight: Tonight) -> CandidateAdapter:
        """Train to the end, from the last checkpoint if there is one."""
        parameters = {
            "recipe": tonight.recipe,
            "seed": tonight.plan.seed,
            "max_seconds": max(1.0, self._options.max_seconds - night.record["seconds"]),
            "checkpoint_seconds": self._options.checkpoint_seconds,
        }
        attachments = self._vault.training_attachments(
            night.id, tonight.parent, tonight.plan, tonight.samples
        )
        async with contextlib.aclosing(
            self._engine.request("train", parameters, attachments=attachments)
        ) as messages:
            async for message in messages:
                event = message.header["event"]
                if event == "resumed":
                    night.record["tokens"] = int(message.header["tokens"])
                elif event == "step":
                    night.stepped(message.header)
                elif event == "shrunk":
                    night.record["kept_share"] = float(message.header["share"])
                elif event == "checkpoint":
                    await self._keep_checkpoint(night, bytes(message.body))
                elif event == "done":
                    if message.header["stopped"]:
                        raise Stopped
                    return await self._candidate(message, tonight)
        raise EngineDied()

    async def _keep_checkpoint(self, night: RunningNight, data: bytes) -> None:
        """One that has no room is left out: the one before it stays, and the night goes on."""
        try:
            await self._vault.save_checkpoint(night.id, data)
            await self._save(night)
        except StorageFull:
            log.warning("a checkpoint has no room on the disk; the night goes on without it")

    async def _candidate(self, message: Message, tonight: Tonight) -> CandidateAdapter:
        """The bytes that came back, checked."""
        data, parent = bytes(message.body), tonight.parent
        expected = Expected(base=tonight.base, sha256=str(message.header["sha256"]))
        await asyncio.to_thread(check_candidate, data, expected)
        seen = await self._vault.items(tonight.plan.all_ids)
        return CandidateAdapter(
            sha256=expected.sha256,
            weights=data,
            base=tonight.base,
            parent=parent.sha256 if parent else None,
            seen_items=seen | (parent.seen_items if parent else frozenset()),
            learned=await self._vault.kept(
                {*tonight.plan.train, *tonight.plan.reading, *(parent.learned if parent else ())}
            ),
        )

    # ------------------------------------------------------------------- judging

    async def _judge(self, candidate: CandidateAdapter, tonight: Tonight) -> Passed | Refused:
        parameters = {
            "recipe": tonight.recipe,
            "seed": tonight.plan.seed,
            "served": next(map(adapter_name, tonight.served), None),
            "candidate": adapter_name(candidate.sha256),
        }
        with self._engine.unpublished(candidate.sha256, candidate.weights):
            answer = await self._engine.ask(
                "judge",
                parameters,
                attachments=self._vault.judging_attachments(tonight.plan, tonight.samples),
                adapters=[candidate.sha256, *tonight.served],
            )
        evidence = evidence_from(candidate.sha256, bytes(answer.body))
        return await asyncio.to_thread(judge, evidence, self._options.gate)

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
