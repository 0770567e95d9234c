"""What the engine does for a night: the base's samples, a candidate, and what it is worth.

What comes back is checked before it counts, and the verdict is made here, without the engine.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from daemon.candidate_check import Expected, check_candidate
from daemon.engine_at_work import Stopped
from daemon.engine_handle import EngineHandle, adapter_name
from daemon.errors import BaseExchanged, EngineDied, EngineFailed
from daemon.night_evidence import evidence_from
from daemon.night_record import NightState
from daemon.night_vault import NightVault, Samples
from daemon.running_night import RunningNight
from daemon.tonight import NightOptions, Tonight
from ipc.frames import Body
from ipc.link import Message
from storage.errors import FileDamaged, StorageFull
from storage.records import CandidateAdapter, Passed, Refused
from trainer.base_format import BaseFacts
from trainer.gate import judge

log = logging.getLogger("nightloom.night")

# As trainer/base_samples.py has them; the service does not import what needs numpy.
SAMPLE_COUNT, SAMPLE_TOKENS, SAMPLE_SEED = 96, 512, 20140531


class NightStages:
    """Asks the engine.

    Args:
        save: keeps the night's record as it is.
    """

    def __init__(
        self,
        *,
        vault: NightVault,
        engine: EngineHandle,
        options: NightOptions,
        save: Callable[[RunningNight], Awaitable[None]],
    ) -> None:
        self._vault = vault
        self._engine = engine
        self._options = options
        self._save = save

    async def samples(self, night: RunningNight, base: BaseFacts) -> Samples:
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

    async def train(self, night: RunningNight, tonight: Tonight) -> CandidateAdapter:
        """Train; a checkpoint that does not open costs what it held, and not the night."""
        try:
            return await self._train_on(night, tonight)
        except (FileDamaged, EngineFailed) as error:
            if isinstance(error, EngineFailed) and error.code != "CheckpointDamaged":
                raise
            log.warning("the checkpoint is damaged; the night starts again from its beginning")
            await self._vault.drop_checkpoint(night.id)
            return await self._train_on(night, tonight)

    async def _train_on(self, night: RunningNight, tonight: Tonight) -> CandidateAdapter:
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
                    await self._keep_checkpoint(night, message.body)
                elif event == "done":
                    if message.header["stopped"]:
                        raise Stopped
                    return await self._candidate(message, tonight)
        raise EngineDied()

    async def _keep_checkpoint(self, night: RunningNight, data: Body) -> None:
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

    async def judge(self, candidate: CandidateAdapter, tonight: Tonight) -> Passed | Refused:
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
