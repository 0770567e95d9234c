"""One night, from text to a verdict: reads like the way of the data.

    plan -> train (checkpoints sealed on the way) -> check -> judge -> publish or refuse

Every step is recorded before the next begins, so that a night that was killed anywhere is taken
up again: from its last checkpoint while it trained, from its candidate's making otherwise. Knows
the vault and the engine by their seams; decides nothing itself (`night_planning`, `trainer.gate`).
"""

import asyncio
import contextlib
import functools
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from daemon import night_record
from daemon.candidate_check import Expected, check_candidate
from daemon.engine_handle import Attachment, EngineHandle, LoadedBase, adapter_name, body_json
from daemon.errors import EngineDied, EngineError, EngineFailed, NightError
from daemon.memory_reading import own_bytes
from daemon.night_planning import (
    NightPlan,
    PlanPolicy,
    TooLittle,
    Waiting,
    plan_night,
    states_after,
)
from daemon.night_record import NightState, Record
from daemon.vault_door import VaultDoor
from ipc.frames import Body
from storage.errors import FileDamaged, StorageError
from storage.records import (
    CandidateAdapter,
    DocumentState,
    Passed,
    PublishedAdapter,
    Refused,
    StoredDocument,
)
from storage.vault import Vault
from trainer.gate import Evidence, GatePolicy, PairedLoss, Smoke, judge

log = logging.getLogger("nightloom.night")

ENGINE_TRIES = 3  # an engine that dies more often in one night has a reason
DOCUMENTS_AT_ONCE = 64
# As trainer/base_samples.py has them; the service does not import what needs numpy.
SAMPLE_COUNT, SAMPLE_TOKENS, SAMPLE_SEED = 96, 512, 20140531

T = TypeVar("T")
Progress = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class NightOptions:
    """What the configuration says about nights."""

    recipe: dict[str, Any]
    plan: PlanPolicy
    gate: GatePolicy
    max_seconds: float
    checkpoint_seconds: float


class NightShift:
    """Runs nights, one at a time.

    Args:
        vault: where text comes from and adapters go to.
        engine: trains and judges.
        options: from the configuration.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        *,
        vault: VaultDoor,
        engine: EngineHandle,
        options: NightOptions,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._vault = vault
        self._engine = engine
        self._options = options
        self._clock = clock
        self._stopping = False
        self.state = NightState.WAITING

    async def stop(self) -> None:
        """Ask the running night to save a checkpoint and end; it can be taken up again."""
        self._stopping = True
        await self._engine.stop_training()

    async def run(self, progress: Progress) -> Record:
        """Run a night, or go on with the one that was not finished.

        Returns:
            The night's record; its state says how it ended. Too little text is `waiting`.
        """
        self._stopping = False
        night = _Night(self._clock, progress, self._set_state)
        try:
            return await self._run(night)
        except _Stopped:
            return await self._yield(night)
        except (EngineError, NightError, StorageError) as error:
            if self._stopping and isinstance(error, EngineFailed) and error.code == "cancelled":
                return await self._yield(night)
            log.error("the night failed: %s", type(error).__name__)
            await self._fail(night, str(error))
            return night.record
        except Exception as error:
            # the type only: messages of libraries may quote what they were given
            log.error("the night broke: %s", type(error).__name__)
            await self._fail(night, f"nightloom made a mistake ({type(error).__name__}).")
            return night.record
        finally:
            self.state = NightState.WAITING

    async def _run(self, night: "_Night") -> Record:
        night.stage("preparing")
        base = await self._engine.load()
        parent = await self._parent(base)
        plan = await self._take_up_or_plan(night, base, parent)
        if isinstance(plan, TooLittle):
            return night.waits(plan)
        await self._save(night)
        samples = await self._despite_deaths(lambda: self._samples(night, base))

        await self._enter(night, NightState.TRAINING)
        candidate = await self._despite_deaths(
            lambda: self._train_or_start_over(night, base, parent, plan, samples)
        )
        await self._enter(night, NightState.JUDGING)
        verdict = await self._despite_deaths(
            lambda: self._judge(night, candidate, parent, plan, samples)
        )
        night.record = night_record.with_measured(night.record, verdict.measured)
        night.record["adapter"] = candidate.sha256[:12]
        if isinstance(verdict, Refused):
            night.end(NightState.REFUSED, "refused", verdict.reason, verdict.sentence)
            await self._save(night)
            await self._drop_checkpoint(night.id)
            await self._engine.drop_adapter(candidate.sha256)
            return night.record

        night.move(NightState.PUBLISHING)
        await self._publish(night, verdict, candidate, plan)
        return night.record

    async def _enter(self, night: "_Night", state: NightState) -> None:
        """Record that a stage begins, before it begins."""
        if self._stopping:
            raise _Stopped
        night.move(state)
        await self._save(night)

    async def _yield(self, night: "_Night") -> Record:
        """Leave the night as it is, to be taken up again; one without a plan was nothing yet."""
        if night_record.planned(night.record) is None:
            return {**night.record, "state": NightState.WAITING.value}
        night.move(NightState.YIELDING)
        await self._save(night)
        return night.record

    async def _despite_deaths(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it again when the engine dies, a few times; what was saved is not done again."""
        for attempt in range(1, ENGINE_TRIES + 1):
            try:
                return await work()
            except EngineDied:
                log.warning("the engine died at work (%d of %d)", attempt, ENGINE_TRIES)
                if self._stopping:
                    raise _Stopped from None
                if attempt == ENGINE_TRIES:
                    raise
        raise AssertionError("unreachable")

    # ------------------------------------------------------------------- preparing

    async def _parent(self, base: LoadedBase) -> PublishedAdapter | None:
        """The adapter that the night starts from: the served one, if it is of this base."""
        current = await self._vault.call(lambda vault: vault.shelf.current())
        return current if current is not None and current.base == base.identity else None

    async def _take_up_or_plan(
        self, night: "_Night", base: LoadedBase, parent: PublishedAdapter | None
    ) -> NightPlan | TooLittle:
        parent_sha = parent.sha256 if parent else None
        for old in await self._vault.call(lambda vault: vault.ledger.nights(1)):
            if NightState(old["state"]) in night_record.UNFINISHED:
                plan = await self._still_valid(old, base, parent_sha)
                if plan is not None:
                    night.takes_up(old)
                    return plan
                await self._abandon(old)
        documents = await self._vault.call(_waiting_documents)
        seed = int(self._clock()) & 0x7FFFFFFF
        plan_or_not = plan_night(documents, self._options.plan, seed=seed)
        night.record = night_record.begin(
            started_at=self._clock(), base=base.identity, parent=parent_sha
        )
        if isinstance(plan_or_not, NightPlan):
            night.record = night_record.with_plan(night.record, plan_or_not, self._options.recipe)
        return plan_or_not

    async def _still_valid(
        self, old: Record, base: LoadedBase, parent: str | None
    ) -> NightPlan | None:
        """The unfinished night's plan, if base, parent, recipe and documents are as they were."""
        plan = night_record.planned(old)
        if plan is None or (old["base"], old["parent"]) != (base.identity, parent):
            return None
        if old["plan"]["recipe"] != self._options.recipe:
            return None
        heads = await self._vault.call(lambda vault: vault.documents.heads())
        present = {h.document_id for h in heads if h.state is not DocumentState.SUPERSEDED}
        return plan if plan.all_ids <= present else None

    async def _abandon(self, old: Record) -> None:
        old = {**old, "state": NightState.FAILED.value, "reason": "abandoned",
               "sentence": "It was interrupted, and its text or its base is no longer the same; "
               "a new night began."}  # fmt: skip
        await self._vault.call(lambda vault: vault.ledger.update_night(old["id"], old))
        await self._drop_checkpoint(old["id"])

    async def _samples(self, night: "_Night", base: LoadedBase) -> tuple[bytes, list[int]]:
        """The base's own samples: general text that needs no outside data, made once per base."""
        name = f"samples-{base.identity[:32]}"
        tokens = min(SAMPLE_TOKENS, base.context_tokens)
        kept = await self._vault.call(functools.partial(_kept_samples, name=name))
        if kept is None:
            parameters = {"count": SAMPLE_COUNT, "tokens": tokens, "seed": SAMPLE_SEED}
            async for message in self._engine.request("sample", parameters):
                if message.header["event"] == "progress":
                    night.tell("preparing", float(message.header["share"]))
            kept = data = bytes(message.body)
            await self._vault.call(lambda vault: vault.samples.write(name, [data]))
        return kept, [SAMPLE_COUNT, tokens]

    # ------------------------------------------------------------------- training

    async def _train_or_start_over(
        self,
        night: "_Night",
        base: LoadedBase,
        parent: PublishedAdapter | None,
        plan: NightPlan,
        samples: tuple[bytes, list[int]],
    ) -> CandidateAdapter:
        """Train; a checkpoint that does not open costs what it held, and not the night."""
        try:
            return await self._train(night, base, parent, plan, samples)
        except (FileDamaged, EngineFailed) as error:
            if isinstance(error, EngineFailed) and error.code != "CheckpointDamaged":
                raise
            log.warning("the checkpoint is damaged; the night starts again from its beginning")
            await self._drop_checkpoint(night.id)
            return await self._train(night, base, parent, plan, samples)

    async def _train(
        self,
        night: "_Night",
        base: LoadedBase,
        parent: PublishedAdapter | None,
        plan: NightPlan,
        samples: tuple[bytes, list[int]],
    ) -> CandidateAdapter:
        """Train to the end, from the last checkpoint if there is one."""
        parameters = {
            "recipe": self._options.recipe,
            "seed": plan.seed,
            "max_seconds": max(1.0, self._options.max_seconds - night.record["seconds"]),
            "checkpoint_seconds": self._options.checkpoint_seconds,
        }
        attachments = self._training_attachments(night.id, parent, plan, samples)
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
                    await self._save_checkpoint(night, message.body)
                elif event == "done":
                    if message.header["stopped"]:
                        raise _Stopped
                    return await self._candidate(message.header, message.body, base, parent, plan)
        raise EngineDied()

    async def _training_attachments(
        self,
        night_id: int,
        parent: PublishedAdapter | None,
        plan: NightPlan,
        samples: tuple[bytes, list[int]],
    ) -> AsyncIterator[Attachment]:
        if parent is not None:
            sha256 = parent.sha256
            yield Attachment(
                name="parent", body=await self._vault.call(lambda v: v.shelf.weights(sha256))
            )
        name = _checkpoint_name(night_id)
        checkpoint = await self._vault.call(
            lambda vault: vault.checkpoints.read(name) if vault.checkpoints.exists(name) else None
        )
        if checkpoint is not None:
            yield Attachment(name="checkpoint", body=checkpoint)
        yield Attachment(name="samples", body=samples[0], facts={"shape": samples[1]})
        for role, ids in (("new", plan.train), ("replay", plan.replay)):
            async for attached in self._texts(role, ids):
                yield attached

    async def _texts(self, role: str, ids: tuple[int, ...]) -> AsyncIterator[Attachment]:
        """Documents by id, a few at a time; one that does not open is named and left out."""
        for start in range(0, len(ids), DOCUMENTS_AT_ONCE):
            some = ids[start : start + DOCUMENTS_AT_ONCE]
            for document in await self._vault.call(functools.partial(_read, ids=some)):
                yield Attachment(
                    name="text",
                    body=body_json({"text": document.text}),
                    facts={"key": document.document_id, "role": role},
                )

    async def _save_checkpoint(self, night: "_Night", body: Body) -> None:
        name = _checkpoint_name(night.id)
        await self._vault.call(lambda vault: vault.checkpoints.write(name, [bytes(body)]))
        await self._save(night)

    async def _candidate(
        self,
        header: dict[str, Any],
        body: Body,
        base: LoadedBase,
        parent: PublishedAdapter | None,
        plan: NightPlan,
    ) -> CandidateAdapter:
        """The bytes that came back, checked."""
        data = bytes(body)
        expected = Expected(base=base.identity, sha256=str(header["sha256"]))
        await asyncio.to_thread(check_candidate, data, expected)
        heads = await self._vault.call(lambda vault: vault.documents.heads())
        seen = {head.item_id for head in heads if head.document_id in plan.all_ids}
        return CandidateAdapter(
            sha256=expected.sha256,
            weights=data,
            base=base.identity,
            parent=parent.sha256 if parent else None,
            seen_items=frozenset(seen | (parent.seen_items if parent else frozenset())),
        )

    # ------------------------------------------------------------------- judging

    async def _judge(
        self,
        night: "_Night",
        candidate: CandidateAdapter,
        parent: PublishedAdapter | None,
        plan: NightPlan,
        samples: tuple[bytes, list[int]],
    ) -> Passed | Refused:
        parameters = {
            "recipe": self._options.recipe,
            "seed": plan.seed,
            "served": adapter_name(parent.sha256) if parent else None,
            "candidate": adapter_name(candidate.sha256),
        }
        with self._engine.unpublished(candidate.sha256, candidate.weights):
            answer = await self._engine.ask(
                "judge",
                parameters,
                attachments=self._judging_attachments(plan, samples),
                adapters=[candidate.sha256, *([parent.sha256] if parent else [])],
            )
        evidence = evidence_from(candidate.sha256, json.loads(bytes(answer.body)))
        return await asyncio.to_thread(judge, evidence, self._options.gate)

    async def _judging_attachments(
        self, plan: NightPlan, samples: tuple[bytes, list[int]]
    ) -> AsyncIterator[Attachment]:
        yield Attachment(name="samples", body=samples[0], facts={"shape": samples[1]})
        for role, ids in (("held_out", plan.held_out), ("stable", plan.stable)):
            async for attached in self._texts(role, ids):
                yield attached

    # ------------------------------------------------------------------- the end

    async def _publish(
        self, night: "_Night", passed: Passed, candidate: CandidateAdapter, plan: NightPlan
    ) -> None:
        """Adapter, states of the documents and the night's record move in one transaction."""
        measured, unpublished = passed.measured, night.record
        night.end(
            NightState.DONE,
            "passed",
            None,
            f"The loss on held-out text fell by between {measured.held_out_gain_low:.1%} and "
            f"{measured.held_out_gain_high:.1%}.",
        )
        record, trained_at = night.record, self._clock()

        def act(vault: Vault) -> None:
            with vault.transaction():
                vault.shelf.publish(passed, candidate, trained_at=trained_at)
                present = {head.document_id for head in vault.documents.heads()
                           if head.state is not DocumentState.SUPERSEDED}  # fmt: skip
                changes = states_after(plan)
                vault.documents.set_states({i: s for i, s in changes.items() if i in present})
                vault.ledger.update_night(record["id"], record)

        try:
            await self._vault.call(act)
        except StorageError:
            night.record = unpublished  # no word of it before the deed is done
            raise
        await self._drop_checkpoint(night.id)

    async def _drop_checkpoint(self, night_id: int) -> None:
        name = _checkpoint_name(night_id)
        await self._vault.call(
            lambda vault: vault.checkpoints.delete(name) if vault.checkpoints.exists(name) else None
        )

    async def _fail(self, night: "_Night", sentence: str) -> None:
        if NightState(night.record["state"]) in night_record.ENDED:
            return
        night.end(NightState.FAILED, None, "failed", sentence)
        with contextlib.suppress(StorageError):
            await self._save(night)
            await self._drop_checkpoint(night.id)
            await self._drop_checkpoint(night.id)  # nothing takes a failed night up again

    async def _save(self, night: "_Night") -> None:
        record = night.timed()
        if "id" in record:
            await self._vault.call(lambda v: v.ledger.update_night(record["id"], record))
        else:
            record["id"] = await self._vault.call(lambda v: v.ledger.begin_night(record))

    def _set_state(self, state: NightState) -> None:
        self.state = state


class _Stopped(Exception):  # noqa: N818 - not an error: the night was asked to stop
    """The night ends here and can be taken up again."""


class _Night:
    """The record of the night that runs, its stop-watches, and who is told of progress."""

    def __init__(
        self,
        clock: Callable[[], float],
        progress: Progress,
        on_state: Callable[[NightState], None],
    ) -> None:
        self._progress = progress
        self._on_state = on_state
        self._stage = "preparing"
        self._stage_began = time.monotonic()
        self._trained_seconds = 0.0
        self._seconds_before = 0.0
        self._began = time.monotonic()
        self.record = night_record.begin(started_at=clock(), base="", parent=None)

    @property
    def id(self) -> int:
        return int(self.record["id"])

    def stage(self, name: str) -> None:
        """Begin a stage of the stop-watch and tell."""
        self._clock_stage()
        self._stage = name
        self._on_state(NightState(name))
        self.tell(name, None)

    def tell(self, name: str, share: float | None) -> None:
        self._progress({"state": name, "stage_progress": share})

    def move(self, state: NightState) -> None:
        self.record = night_record.moved(self.record, state)
        self.stage(state.value)

    def takes_up(self, old: Record) -> None:
        """Go on with a night that did not end; its steps are counted on."""
        self._seconds_before = float(old["seconds"])
        self.record = {**old, "state": NightState.PREPARING.value}

    def waits(self, too_little: TooLittle) -> Record:
        self.record = {
            **self.record,
            "state": NightState.WAITING.value,
            "reason": "too_little_text",
            "sentence": too_little.sentence,
        }
        return self.timed()

    def stepped(self, header: dict[str, Any]) -> None:
        step, steps = int(header["step"]), int(header["steps"])
        self._trained_seconds += float(header["seconds"])
        tokens = int(header["tokens"])
        self.record["steps"] = step
        self.record["tokens"] += tokens
        rate = tokens / max(float(header["seconds"]), 1e-6)
        previous = self.record["tokens_per_second"]
        self.record["tokens_per_second"] = rate if previous is None else 0.9 * previous + 0.1 * rate
        peak = own_bytes() + int(header["engine_bytes"])
        self.record["peak_bytes"] = max(self.record["peak_bytes"], peak)
        self._progress(
            {
                "state": "training",
                "stage_progress": step / max(steps, 1),
                "step": step,
                "steps": steps,
                "loss": float(header["loss"]),
                "tokens": self.record["tokens"],
                "tokens_per_second": self.record["tokens_per_second"],
                "seconds": time.monotonic() - self._began,
            }
        )

    def end(
        self, state: NightState, verdict: str | None, reason: str | None, sentence: str
    ) -> None:
        self.record = {
            **night_record.moved(self.record, state),
            "verdict": verdict,
            "reason": reason,
            "sentence": sentence,
        }
        self.timed()

    def timed(self) -> Record:
        """The record with its seconds brought up to now."""
        self._clock_stage()
        self.record["seconds"] = self._seconds_before + time.monotonic() - self._began
        return self.record

    def _clock_stage(self) -> None:
        now = time.monotonic()
        seconds = self.record.setdefault("stage_seconds", {}) if hasattr(self, "record") else {}
        seconds[self._stage] = seconds.get(self._stage, 0.0) + now - self._stage_began
        self._stage_began = now


def evidence_from(sha256: str, answer: dict[str, Any]) -> Evidence:
    """What the engine measured, as the gate's type.

    Raises:
        NightError: the answer is not of that form.
    """
    try:
        return Evidence(
            sha256=sha256,
            held_out=_paired(answer["held_out"]),
            stable=_paired(answer["stable"]),
            general_loss_base=float(answer["general_loss_base"]),
            general_loss_before=float(answer["general_loss_before"]),
            general_loss_after=float(answer["general_loss_after"]),
            canaries_planted=int(answer["canaries_planted"]),
            canaries_extracted=int(answer["canaries_extracted"]),
            smoke=Smoke(
                tokens=int(answer["smoke"]["tokens"]),
                distinct_tokens=int(answer["smoke"]["distinct_tokens"]),
                undecodable=bool(answer["smoke"]["undecodable"]),
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NightError("The engine's measurements cannot be read.") from error


def _paired(rows: list[dict[str, Any]]) -> tuple[PairedLoss, ...]:
    return tuple(
        PairedLoss(before=float(r["before"]), after=float(r["after"]), tokens=int(r["tokens"]))
        for r in rows
    )


def _waiting_documents(vault: Vault) -> list[Waiting]:
    """Every current version by size; only new text is opened to be measured."""
    sizes: dict[int, int] = {}
    for document in vault.documents.read_many({DocumentState.NEW}):
        if isinstance(document, StoredDocument):
            sizes[document.document_id] = len(document.text)
        else:
            log.warning("document %d is damaged and left out", document.row_id)
    return [
        Waiting(
            document_id=head.document_id,
            item_id=head.item_id,
            version=head.version,
            state=head.state,
            characters=sizes.get(head.document_id, 0),
        )
        for head in vault.documents.heads()
        if head.state is not DocumentState.SUPERSEDED
        and (head.state is not DocumentState.NEW or head.document_id in sizes)
    ]


def _read(vault: Vault, *, ids: tuple[int, ...]) -> list[StoredDocument]:
    documents = []
    for document_id in ids:
        try:
            documents.append(vault.documents.read(document_id))
        except StorageError as error:
            log.warning("document %d is left out: %s", document_id, type(error).__name__)
    return documents


def _kept_samples(vault: Vault, *, name: str) -> bytes | None:
    """None when there are none, or none any more: they can be made again."""
    try:
        return vault.samples.read(name) if vault.samples.exists(name) else None
    except FileDamaged:
        log.warning("the samples of the base are damaged; they are made again")
        return None


def _checkpoint_name(night_id: int) -> str:
    return f"night-{night_id}"
