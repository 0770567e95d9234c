"""Forgetting that reaches the weights: in one transaction, all or nothing.

Rows, texts and data keys go; tombstones keep file, copy and later edits out; adapters that saw it
lose their weights and the newest clean ancestor serves; checkpoints and plans of nights that held
it are void; what only the fallen adapters knew is new text again. The record of it is an event.
Knows nothing of engines or of how a night's record is written (`NightRecords` does).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from storage.adapter_shelf import AdapterShelf
from storage.document_removal import remove_documents, remove_items
from storage.documents import Documents
from storage.errors import StorageError
from storage.exports import Export, adapter_exports
from storage.forgetting_plan import ForgettingPlan, items_with, plan_forgetting
from storage.known_files import KnownFiles
from storage.ledger import Ledger
from storage.lookup import Lookup
from storage.records import DocumentState
from storage.sealed_database import SealedDatabase
from storage.sealed_files import SealedFiles
from storage.sealed_table import Record
from storage.tombstones import Tombstones

if TYPE_CHECKING:
    from storage.vault import Vault

FORGOTTEN, REMEMBERED = "forgotten", "remembered"  # kinds of events
CANNOT_PROMISE = ("old_copies", "exports", "reworded", "same_in_other_words")


class Scope(StrEnum):
    """What the user named."""

    DOCUMENT = "document"
    SOURCE = "source"
    MATCHING = "matching"
    EVERYTHING = "everything"


class NightRecords(Protocol):
    """What is known of nights elsewhere."""

    def voided(
        self, record: Record, present: Collection[int], withdrawn: Collection[str]
    ) -> Record | None:
        """The record as it is to be kept, naming no document that is not `present`.

        None when it stays: it names no such document and started from no withdrawn adapter.
        """
        ...

    def checkpoint(self, night_id: int) -> str:
        """The name of a night's checkpoint."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was done."""

    plan: ForgettingPlan
    event: int
    tombstones: int
    checkpoints: int
    nights: tuple[int, ...]  # whose records were voided
    exports: tuple[Export, ...] = ()  # of the adapters that fell; these stay where they are
    rotated: bool = False


class Forgetting:
    """A room of the vault."""

    def __init__(
        self,
        database: SealedDatabase,
        lookup: Lookup,
        *,
        documents: Documents,
        known_files: KnownFiles,
        shelf: AdapterShelf,
        checkpoints: SealedFiles,
        ledger: Ledger,
        day: Callable[[], str],
    ) -> None:
        self._database = database
        self._lookup = lookup
        self._documents = documents
        self._known_files = known_files
        self._shelf = shelf
        self._checkpoints = checkpoints
        self._ledger = ledger
        self._tombstones = Tombstones(database)
        self._day = day

    # ----------------------------------------------------------------------- what is meant

    def item_of(self, document_id: int) -> frozenset[int]:
        """The item of this document, also of an old version. Raises `UnknownDocument`."""
        return frozenset({self._documents.read(document_id).item_id})

    def items_of_source(self, source: str) -> frozenset[int]:
        """Also those that the source gave before it was removed."""
        rows = self._database.fetch(
            "SELECT id FROM items WHERE source_hash = ?", [self._lookup.source(source)]
        )
        return frozenset(row[0] for row in rows)

    def items_matching(self, text: str) -> frozenset[int]:
        """Items of which a version holds this text, white space and normal form apart."""
        return frozenset(item for item in self.search(text) if item is not None)

    def search(self, text: str) -> Iterator[int | None]:
        """The same, document by document: the item, or None where the text does not stand."""
        return items_with(self._documents, text)

    def all_items(self) -> frozenset[int]:
        return frozenset(row[0] for row in self._database.fetch("SELECT id FROM items"))

    def plan(self, items: Collection[int], *, scope: Scope) -> ForgettingPlan:
        """What forgetting these would take; changes nothing."""
        everything = scope is Scope.EVERYTHING
        return plan_forgetting(
            self._database, self._lookup, self._shelf, items, everything=everything
        )

    # ----------------------------------------------------------------------- doing it

    def forget(self, items: Collection[int], *, scope: Scope, nights: NightRecords) -> Forgotten:
        """As the module says. Nothing that matches is no change at all, but of the record.

        Raises `StorageFull`; then nothing was forgotten.
        """
        with self._database.transaction():
            plan = self.plan(items, scope=scope)
            remove_documents(self._database, plan.documents)
            remove_items(self._database, plan.items)
            self._database.observe("forget:rows")
            stones = self._tombstones.bury(plan.hashes, day=self._day())
            self._database.observe("forget:tombstones")
            self._shelf.withdraw(
                [one.number for one in plan.fallen],
                current=None if plan.serves is None else plan.serves.number,
            )
            self._database.observe("forget:adapters")
            voided, checkpoints = self._void_nights(plan, nights)
            self._documents.set_states(dict.fromkeys(plan.queued, DocumentState.NEW))
            self._database.observe("forget:nights")
            fallen = plan.fallen_digests
            exports = adapter_exports(self._ledger.events(), fallen) if fallen else []
            event = self._ledger.append_event(
                FORGOTTEN,
                {
                    "scope": scope.value,
                    "items": spans(plan.items),
                    "touched": spans(plan.touched),
                    "documents": len(plan.documents),
                    "tombstones": spans(stones),
                    "adapters": list(plan.fallen_digests),
                    "serves": plan.serves.sha256 if plan.serves else None,
                    "checkpoints": checkpoints,
                    "nights": list(voided),
                    "queued": len(plan.queued),
                    "exported": sorted({one.sha256 for one in exports}),
                    "cannot_promise": list(CANNOT_PROMISE),
                },
            )
        return Forgotten(
            plan=plan,
            event=event,
            tombstones=len(stones),
            checkpoints=checkpoints,
            nights=voided,
            exports=tuple(exports),
        )

    def remember(self, source: str, path: str, contents: Iterable[str] = ()) -> int:
        """The user's word: this file may be collected again. How many tombstones fell.

        Args:
            contents: what stands in the file now, redacted: it may have been forgotten as a text.
        """
        hashes = [self._lookup.item(source, path)]
        for content in map(self._lookup.content, contents):
            hashes += content, self._lookup.copy_of(content)
        with self._database.transaction():
            stones = self._tombstones.lift(hashes)
            self._known_files.forget_one(source, path)
            if stones:
                self._ledger.append_event(REMEMBERED, {"tombstones": spans(stones)})
        return len(stones)

    def _void_nights(
        self, plan: ForgettingPlan, nights: NightRecords
    ) -> tuple[tuple[int, ...], int]:
        """Records and checkpoints that could hold something of it; how many of each."""
        present = {head.document_id for head in self._documents.heads()}
        voided, clean = [], set()
        for record in self._ledger.nights():
            void = nights.voided(record, present, plan.fallen_digests)
            if void is None:
                clean.add(nights.checkpoint(record["id"]))
            else:
                self._ledger.update_night(record["id"], void)
                voided.append(record["id"])
        wiped = [name for name in self._checkpoints.names() if name not in clean]
        for name in wiped:
            self._checkpoints.delete(name)
        return tuple(voided), len(wiped)


def forget_and_rotate(
    vault: "Vault", items: Collection[int], *, scope: Scope, nights: NightRecords
) -> Forgotten:
    """Forget, then exchange root and epoch, so that old copies of wrapped keys meet no new root.

    What is forgotten stays so when the rotation does not succeed; `rotated` says it.
    """
    done = vault.forgetting.forget(items, scope=scope, nights=nights)
    try:
        vault.rotate()
    except StorageError:
        return done
    return replace(done, rotated=True)


def spans(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers as first and last of each run: a thousand neighbours are two numbers."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] + 1 == number:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs


def numbers_in(runs: Iterable[Iterable[int]]) -> set[int]:
    return {number for first, last in runs for number in range(first, last + 1)}


# --------------------------------------------------------------------------- looking at the record


def check_forgotten(vault: "Vault", event: Mapping[str, Any]) -> list[str]:
    """What does not agree with a `forgotten` event, in fixed words and numbers; none is right."""
    facts, problems = event["facts"], []
    items = numbers_in(facts["items"])
    stones = numbers_in(facts["tombstones"])
    missing = stones - Tombstones(vault._database).present(stones)
    if missing and (missing := missing - _lifted(vault)):
        problems.append(f"{len(missing)} tombstones are missing")
    left = {head.item_id for head in vault.documents.heads()} & items
    if left:
        problems.append(f"documents of {len(left)} forgotten items are there")
    buried = vault._database.fetch(
        "SELECT (SELECT count(*) FROM items i JOIN tombstones t ON t.hash = i.item_hash) + "
        "(SELECT count(*) FROM documents d JOIN tombstones t ON t.hash = d.content_hash)"
    )[0][0]
    if buried:
        problems.append(f"{buried} rows stand under a tombstone")
    named, concerned = set(facts["adapters"]), items | numbers_in(facts["touched"])
    for one in vault.shelf.kept():
        name = f"adapter number {one.number}"
        if one.withdrawn and one.sha256 and vault.shelf.has_weights(one.sha256):
            problems.append(f"{name} is withdrawn and has weights")
        if one.withdrawn:
            continue
        if one.sha256 in named:
            problems.append(f"{name} was withdrawn and is in use again")
        elif not items.isdisjoint(one.seen_items):
            problems.append(f"{name} saw a forgotten item")
        elif concerned and one.parent in named:
            problems.append(f"{name} was made from a withdrawn one")
    return problems


def _lifted(vault: "Vault") -> set[int]:
    lifted: set[int] = set()
    for event in vault.ledger.events():
        if event["kind"] == REMEMBERED:
            lifted |= numbers_in(event["facts"]["tombstones"])
    return lifted
