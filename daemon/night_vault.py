"""The vault as a night sees it: what it reads, what it hands to the engine, what it keeps.

Decides nothing. A document that does not open is named by its number and left out.
"""

import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from daemon.auditing.history import NIGHT, PUBLISHED
from daemon.engine_process import Attachment, body_json
from daemon.errors import NightForgotten
from daemon.forgetting_nights import NightRecords, checkpoint_name, is_void
from daemon.night_planning import NightPlan, Waiting, states_after
from daemon.night_record import Record
from daemon.night_waiting import waiting_documents
from daemon.spoken import learned
from daemon.vault_door import Door
from ipc.frames import Body
from storage.errors import FileDamaged, RowDamaged, StorageError
from storage.records import (
    CandidateAdapter,
    DocumentState,
    Passed,
    PublishedAdapter,
    StoredDocument,
)
from storage.vault import Vault
from trainer.curation_facts import TextFacts

log = logging.getLogger("nightloom.night")

DOCUMENTS_AT_ONCE = 64
PIECE_BYTES = 1 << 20  # of a checkpoint, sealed at once
READING = "reading"  # a role of trainer/examples.py


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The base's own samples: (count, tokens) little-endian int32."""

    rows: bytes = field(repr=False)
    count: int
    tokens: int


class NightVault:
    """Reads and writes for nights, behind the vault's door."""

    def __init__(self, door: Door) -> None:
        self._door = door

    # ------------------------------------------------------------------- what there is

    async def waiting(
        self, parent: PublishedAdapter | None, facts: Mapping[int, TextFacts]
    ) -> list[Waiting]:
        """What a night could use that starts from this adapter."""
        learned = parent.learned if parent else frozenset()
        return await self._door.call(
            functools.partial(waiting_documents, learned=learned, facts=facts)
        )

    async def present(self) -> frozenset[int]:
        """Ids of all current versions."""
        return await self._door.call(_present)

    async def items(self, documents: frozenset[int]) -> frozenset[int]:
        """The items of these documents, also of those that were edited in the meantime."""
        heads = await self._door.call(lambda vault: vault.documents.heads())
        return frozenset(head.item_id for head in heads if head.document_id in documents)

    async def kept(self, documents: Collection[int]) -> frozenset[int]:
        """Those of these versions that are in the vault, also superseded ones."""
        heads = await self._door.call(lambda vault: vault.documents.heads())
        return frozenset(head.document_id for head in heads).intersection(documents)

    async def adapter_in_use(self) -> PublishedAdapter | None:
        return await self._door.call(lambda vault: vault.shelf.current())

    async def samples(self, base: str, *, count: int, tokens: int) -> Samples | None:
        """Those of this base; None when there are none, or none any more."""
        rows = await self._door.call(functools.partial(_kept_samples, name=_samples_name(base)))
        return None if rows is None else Samples(rows=rows, count=count, tokens=tokens)

    async def keep_samples(self, base: str, samples: Samples) -> None:
        name = _samples_name(base)
        await self._door.call(lambda vault: vault.samples.write(name, [samples.rows]))

    # ------------------------------------------------------------------- records

    async def last_night(self) -> Record | None:
        nights = await self._door.call(lambda vault: vault.ledger.nights(1))
        return nights[0] if nights else None

    async def save(self, record: Record) -> None:
        """Keep the record; one without an `id` is given one.

        Raises:
            NightForgotten: something that it names was forgotten in the meantime.
        """
        record["id"] = await self._door.call(lambda vault: _save(vault, record))

    async def save_checkpoint(self, night_id: int, data: Body) -> None:
        """One of a large base has hundreds of megabytes, and is not copied as a whole.

        Raises:
            NightForgotten: something that is in it was forgotten in the meantime.
        """

        def act(vault: Vault) -> None:
            with vault.transaction():
                _refuse_void(vault, {"id": night_id})
                vault.checkpoints.write(checkpoint_name(night_id), _pieces(data))

        await self._door.call(act)

    async def drop_checkpoint(self, night_id: int) -> None:
        name = checkpoint_name(night_id)
        await self._door.call(lambda vault: vault.checkpoints.delete(name))

    async def publish(
        self,
        passed: Passed,
        candidate: CandidateAdapter,
        plan: NightPlan,
        record: Record,
        *,
        trained_at: float,
    ) -> None:
        """Adapter, states of the documents and the night's record move in one transaction.

        Raises:
            NightForgotten: something that the candidate saw was forgotten in the meantime.
        """

        def act(vault: Vault) -> None:
            with vault.transaction():
                _refuse_void(vault, record)
                vault.shelf.publish(passed, candidate, trained_at=trained_at)
                present, changes = _present(vault), states_after(plan)
                vault.documents.set_states({i: s for i, s in changes.items() if i in present})
                _save(vault, record)
                vault.ledger.append_event(
                    PUBLISHED,
                    {
                        "night": record["id"],
                        "adapter": candidate.sha256[:12],
                        "parent": candidate.parent and candidate.parent[:12],
                        "documents": len(plan.train) + len(plan.reading),
                    },
                )
            vault.witness_now()  # outside of the folder too, where there is a keyring slot

        await self._door.call(act)

    async def keep_within(self, adapters_bytes: int | None) -> tuple[str, ...]:
        """Pin adapters, and clear the oldest beyond this; the digests of those that went."""
        return await self._door.call(lambda vault: vault.adapter_quota.apply(adapters_bytes))

    # ------------------------------------------------------------------- for the engine

    async def training_attachments(
        self, night_id: int, parent: PublishedAdapter | None, plan: NightPlan, samples: Samples
    ) -> AsyncIterator[Attachment]:
        """Parent and checkpoint where there are any, the samples, and what is learned."""
        if parent is not None:
            sha256 = parent.sha256
            weights = await self._door.call(lambda vault: vault.shelf.weights(sha256))
            yield Attachment(name="parent", body=weights)
        name = checkpoint_name(night_id)
        checkpoint = await self._door.call(
            lambda vault: vault.checkpoints.read(name) if vault.checkpoints.exists(name) else None
        )
        if checkpoint is not None:
            yield Attachment(name="checkpoint", body=checkpoint)
        yield _attached(samples)
        roles = (("new", plan.train), (READING, plan.reading), ("replay", plan.replay))
        fresh = {number: (start, end) for number, start, end in plan.fresh}
        for role, ids in roles:
            async for text in self._texts(role, ids, fresh):
                yield text

    async def judging_attachments(
        self, plan: NightPlan, samples: Samples
    ) -> AsyncIterator[Attachment]:
        """The samples, and what judges."""
        yield _attached(samples)
        for role, ids in (("held_out", plan.held_out), ("stable", plan.stable)):
            async for text in self._texts(role, ids, {}):
                yield text

    async def _texts(
        self, role: str, ids: tuple[int, ...], fresh: Mapping[int, tuple[int, int]]
    ) -> AsyncIterator[Attachment]:
        """Documents by id, a few at a time; what others wrote is no voice to replay."""
        for start in range(0, len(ids), DOCUMENTS_AT_ONCE):
            some = ids[start : start + DOCUMENTS_AT_ONCE]
            for document in await self._door.call(functools.partial(_read, ids=some)):
                yield Attachment(
                    name="text",
                    body=body_json(learned(document, fresh.get(document.document_id))),
                    facts={
                        "key": document.document_id,
                        "role": role if document.own else READING,
                    },
                )


def _pieces(data: Body) -> Iterator[bytes]:
    view = memoryview(data)
    return (bytes(view[at : at + PIECE_BYTES]) for at in range(0, len(view), PIECE_BYTES))


def _save(vault: Vault, record: Record) -> int:
    """The record, and an event where its state is another one; the night's number."""
    with vault.transaction():
        _refuse_void(vault, record)
        number, before = record.get("id"), None
        if number is None:
            number = vault.ledger.begin_night(record)
        else:
            with contextlib.suppress(RowDamaged):  # it is written over
                before = vault.ledger.night(number)["state"]
            vault.ledger.update_night(number, record)
        if record["state"] != before:
            told = {"night": number, "state": record["state"], "reason": record.get("reason")}
            vault.ledger.append_event(NIGHT, told)
    return int(number)


def _present(vault: Vault) -> frozenset[int]:
    return frozenset(
        head.document_id
        for head in vault.documents.heads()
        if head.state is not DocumentState.SUPERSEDED
    )


def _read(vault: Vault, *, ids: tuple[int, ...]) -> list[StoredDocument]:
    documents = []
    for document_id in ids:
        try:
            documents.append(vault.documents.read(document_id))
        except StorageError as error:
            log.warning("document %d is left out: %s", document_id, type(error).__name__)
    return documents


def _kept_samples(vault: Vault, *, name: str) -> bytes | None:
    """None also when they are damaged: they can be made again."""
    try:
        return vault.samples.read(name) if vault.samples.exists(name) else None
    except FileDamaged:
        log.warning("the samples of the base are damaged; they are made again")
        return None


def _attached(samples: Samples) -> Attachment:
    return Attachment(
        name="samples", body=samples.rows, facts={"shape": [samples.count, samples.tokens]}
    )


def _samples_name(base: str) -> str:
    return f"samples-{base[:32]}"


def _refuse_void(vault: Vault, record: Record) -> None:
    """Raises `NightForgotten`: the ledger's word stands. A new night is looked at as it is."""
    if "id" in record:
        with contextlib.suppress(RowDamaged):
            if is_void(vault.ledger.night(record["id"])):
                raise NightForgotten
        return
    present = {head.document_id for head in vault.documents.heads()}
    withdrawn = {one.sha256 for one in vault.shelf.kept() if one.withdrawn and one.sha256}
    if NightRecords().voided(record, present, withdrawn) is not None:
        raise NightForgotten
