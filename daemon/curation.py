"""What is known of the vault's texts before a night: asked of a child that reads them once.

The facts stay in memory as long as no document came, went or was learned, and what the child noted
of each text as long as that text is there; of the texts themselves nothing does. Decides nothing.
"""

import asyncio
import functools
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from daemon.curating_process import ChildFailedError, CuratingProcess, curating_child
from daemon.curation_notes import CurationNotes, Present
from daemon.curation_wire import SETTLED, TextNote, packed_notes, packed_texts
from daemon.errors import CurationFailed
from daemon.vault_door import Door
from storage.errors import StorageError
from storage.records import DocumentState
from storage.vault import Vault
from trainer.curation_facts import NOT_JUDGED, UNDETERMINED, TextFacts

log = logging.getLogger("nightloom.curation")

LOT_DOCUMENTS = 256
LOT_CHARACTERS = 1_000_000  # from which on a lot is full
TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Some texts as the child is given them."""

    ids: tuple[int, ...]  # of those that opened
    packed: bytes = field(repr=False)
    read: int  # documents, those that did not open included


class Curation:
    """Facts of the vault's documents, kept between two calls while none came or went."""

    def __init__(self, notes: CurationNotes | None = None) -> None:
        self._turn = asyncio.Lock()
        self._seen: Mapping[int, Present] = {}
        self._facts: dict[int, TextFacts] = {}
        self._notes = notes if notes is not None else CurationNotes()
        self._forgotten: set[int] | None = set()  # since a child was asked; None: everything

    async def facts_of(self, door: Door) -> dict[int, TextFacts]:
        """Facts by document id of every current version; damaged ones are left out.

        None at all while no document is new: then there is nothing to choose from. Only documents
        of which nothing is noted are read.

        May be cancelled, which ends the child. Two callers at once wait for one child.

        Raises:
            CurationFailed: the child fails again and again; nothing is known.
            VaultIsLocked: see `Door.call`.
        """
        async with self._turn:
            self._forgotten = set()
            present = await door.call(_present)
            if present == self._seen:
                return dict(self._facts)
            self._seen, facts = {}, {}
            self._facts = {}
            self._notes.keep_only(present)
            if not all(one.settled for one in present.values()):
                facts = await self._asked(door, present)
            if self._forgotten == set():  # else it is for who asked, and nobody after
                self._seen, self._facts = present, facts
            return dict(facts)

    def forget(self, ids: Collection[int]) -> None:
        """Nothing is known of these documents any more, whatever a child still says of them."""
        if self._forgotten is not None:
            self._forgotten.update(ids)
        self._seen, self._facts = {}, {}
        self._notes.drop(ids)

    def clear(self) -> None:
        """Nothing is known any more; for when the vault is locked."""
        self._forgotten = None
        self._seen, self._facts = {}, {}
        self._notes.clear()

    def _keep(self, notes: Collection[TextNote], present: Mapping[int, Present]) -> None:
        gone = self._forgotten
        if gone is not None:
            self._notes.keep((one for one in notes if one.document_id not in gone), present)

    async def _asked(self, door: Door, present: Mapping[int, Present]) -> dict[int, TextFacts]:
        """Ask a child; when it dies another begins anew, and gets that lot's texts one by one.

        A text over which a child dies alone is left out. One that dies over nothing in particular
        may have been told nonsense by one before it, so what was noted is dropped once.
        """
        suspects: set[int] = set()
        left_out: set[int] = set()
        for _ in range(TRIES):
            lot: set[int] = set()  # that the child works on
            noted = self._notes.known()
            wanted = [one for one in present if one not in left_out and one not in noted]
            try:
                async with curating_child() as child:
                    facts = await self._ask_child(child, door, present, wanted, suspects, lot)
                return facts | _unjudged(left_out)
            except ChildFailedError:
                log.error("the curating process failed over %d documents", len(lot))
                if lot:
                    left_out |= lot if len(lot) == 1 else set()
                    suspects |= lot
                elif noted:
                    self._notes.clear()
                else:
                    break
        raise CurationFailed

    async def _ask_child(
        self,
        child: CuratingProcess,
        door: Door,
        present: Mapping[int, Present],
        wanted: Sequence[int],
        suspects: Collection[int],
        lot: set[int],
    ) -> dict[int, TextFacts]:
        asked: list[int] = []
        for some in self._notes.lots():
            notes = self._notes.told(some, present)  # some may be forgotten meanwhile
            await child.remind(packed_notes(notes))
            asked += [note.document_id for note in notes]
        at = 0
        while at < len(wanted):
            given = await door.call(
                functools.partial(_read, ids=_next_lot(wanted[at : at + LOT_DOCUMENTS], suspects))
            )
            at += given.read
            lot.update(given.ids)
            notes = await child.give(given.packed, given.ids)
            lot.clear()
            asked += given.ids
            self._keep(notes, present)
        return await child.facts(asked)


def _next_lot(ids: Sequence[int], suspects: Collection[int]) -> Sequence[int]:
    """As many as go together; a suspect goes alone."""
    before = next((place for place, number in enumerate(ids) if number in suspects), len(ids))
    return ids[: max(1, before)]


def _unjudged(ids: Collection[int]) -> dict[int, TextFacts]:
    return {
        number: TextFacts(
            document_id=number,
            language=UNDETERMINED,
            quality=0.0,
            reason=NOT_JUDGED,
            twin_of=None,
            family=number,
        )
        for number in ids
    }


def _present(vault: Vault) -> dict[int, Present]:
    """All current versions."""
    return {
        head.document_id: Present(settled=head.state in SETTLED, key_id=head.key_id)
        for head in vault.documents.heads()
        if head.state is not DocumentState.SUPERSEDED
    }


def _read(vault: Vault, *, ids: Sequence[int]) -> Lot:
    documents, characters, read = [], 0, 0
    for number in ids:
        read += 1
        try:
            document = vault.documents.read(number)
        except StorageError as error:
            log.warning("document %d is left out: %s", number, type(error).__name__)
            continue
        documents.append(document)
        characters += len(document.text)
        if characters >= LOT_CHARACTERS:
            break
    return Lot(
        ids=tuple(document.document_id for document in documents),
        packed=packed_texts(documents),
        read=read,
    )
