"""What is known of the vault's texts before a night: asked of a child that reads them once.

The facts stay in memory as long as no document came, went or was learned; of the texts nothing
does. Decides nothing.
"""

import asyncio
import functools
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from daemon.curating_process import ChildFailedError, CuratingProcess, curating_child
from daemon.curation_wire import SETTLED, packed_texts
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

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._seen: Mapping[int, bool] = {}
        self._facts: dict[int, TextFacts] = {}

    async def facts_of(self, door: Door) -> dict[int, TextFacts]:
        """Facts by document id of every current version; damaged ones are left out.

        None at all while no document is new: then there is nothing to choose from.

        May be cancelled, which ends the child. Two callers at once wait for one child.

        Raises:
            CurationFailed: the child fails again and again; nothing is known.
            VaultIsLocked: see `Door.call`.
        """
        async with self._turn:
            present = await door.call(_present)
            if present != self._seen:
                self._seen, self._facts = {}, {}
                if not all(present.values()):
                    self._facts = await _asked(door, list(present))
                self._seen = present
            return dict(self._facts)


async def _asked(door: Door, ids: Sequence[int]) -> dict[int, TextFacts]:
    """Ask a child; when it dies another one begins anew, and gets the texts of that lot one by one.

    A text over which a child dies alone is left out.
    """
    suspects: set[int] = set()
    left_out: set[int] = set()
    for _ in range(TRIES):
        lot: set[int] = set()  # that the child works on
        wanted = [number for number in ids if number not in left_out]
        try:
            async with curating_child() as child:
                facts = await _ask_child(child, door, wanted, suspects, lot)
            return facts | _unjudged(left_out)
        except ChildFailedError:
            log.error("the curating process failed over %d documents", len(lot))
            if not lot:
                break
            left_out |= lot if len(lot) == 1 else set()
            suspects |= lot
    raise CurationFailed


async def _ask_child(
    child: CuratingProcess,
    door: Door,
    wanted: Sequence[int],
    suspects: Collection[int],
    lot: set[int],
) -> dict[int, TextFacts]:
    asked: list[int] = []
    at = 0
    while at < len(wanted):
        some = _next_lot(wanted[at : at + LOT_DOCUMENTS], suspects)
        given = await door.call(functools.partial(_read, ids=some))
        at += given.read
        lot.update(given.ids)
        await child.give(given.packed)
        lot.clear()
        asked += given.ids
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


def _present(vault: Vault) -> dict[int, bool]:
    """All current versions, and whether each was learned or judges."""
    return {
        head.document_id: head.state in SETTLED
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
