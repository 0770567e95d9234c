"""The adapters that were published, and the one that is in use.

The shelf takes exactly the bytes that the gate admitted. Record, file and the `current` pointer
change in one transaction, so that after a crash the old adapter serves or the new one, and never
half of one. Knows nothing of tensors.
"""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

from storage.adapter_withdrawal import WITHDRAWN, KeptAdapter, kept_adapter
from storage.errors import (
    AdapterDamaged,
    AdapterNotAdmitted,
    AdapterWithdrawn,
    AmbiguousAdapter,
    FileDamaged,
    NothingToRollBack,
    RowDamaged,
    UnknownAdapter,
    UnknownFile,
)
from storage.lookup import Lookup
from storage.records import (
    AdapterStatus,
    CandidateAdapter,
    Measured,
    Passed,
    PublishedAdapter,
    sha256_hex,
)
from storage.sealed_database import SealedDatabase
from storage.sealed_files import SealedFiles
from storage.sealed_table import Record, Row, SealedTable

CURRENT = "current"
SHORTEST_PREFIX = 4


class AdapterShelf:
    def __init__(self, database: SealedDatabase, lookup: Lookup, files: SealedFiles) -> None:
        self._database = database
        self._table = SealedTable(database, "adapters")
        self._lookup = lookup
        self._files = files

    def publish(
        self, passed: Passed, candidate: CandidateAdapter, *, trained_at: float
    ) -> PublishedAdapter:
        """Keep the candidate and put it in use. Publishing the same bytes again is no change.

        Raises `AdapterNotAdmitted` unless the bytes are those that passed, `AdapterWithdrawn` when
        they were withdrawn, or what they were made from was.
        """
        digest = sha256_hex(candidate.weights)
        if not passed.sha256 == candidate.sha256 == digest:
            raise AdapterNotAdmitted(admitted=passed.sha256[:12], found=digest[:12])
        with self._database.transaction():
            self._refuse_withdrawn_parent(candidate)
            row = self._row(digest)
            if row is None:
                file_id = self._files.write(digest, [candidate.weights])
                record = {
                    "sha256": digest,
                    "base": candidate.base,
                    "parent": candidate.parent,
                    "trained_at": trained_at,
                    "seen_items": sorted(candidate.seen_items),
                    "learned": sorted(candidate.learned),
                    "measured": dataclasses.asdict(passed.measured),
                }
                adapter_id = self._table.insert(
                    record,
                    sha_hash=self._lookup.name("adapter", digest),
                    file=file_id,
                    withdrawn=0,
                    pinned=0,
                )
            elif row["withdrawn"]:
                raise AdapterWithdrawn(sha12=digest[:12])
            else:
                adapter_id = row["id"]
            self._point_to(adapter_id)
        return self.get(digest)

    def current(self) -> PublishedAdapter | None:
        """None while the plain base serves. Raises `AdapterDamaged` if its record is damaged."""
        current = self._current_id()
        if current is None:
            return None
        row = self._table.rows("id = ?", (current,))[0]
        return self._adapter(row, self._open(row), current)

    def list(self) -> "list[PublishedAdapter]":
        """Newest first; one with a damaged record is left out, `Vault.verify` names it."""
        current = self._current_id()
        adapters = [self._adapter(row, record, current) for row, record in self._table.intact()]
        return adapters[::-1]

    def get(self, digest: str) -> PublishedAdapter:
        """By its digest or the first four or more digits of it.

        Raises `UnknownAdapter`, `AmbiguousAdapter`, `AdapterDamaged`.
        """
        row = self._row(digest)
        if row is not None:
            return self._adapter(row, self._open(row), self._current_id())
        found = [one for one in self.list() if one.sha256.startswith(digest)]
        if not found or len(digest) < SHORTEST_PREFIX:
            raise UnknownAdapter
        if len(found) > 1:
            raise AmbiguousAdapter
        return found[0]

    def use(self, digest: str) -> PublishedAdapter:
        """Put a kept adapter in use; its weights are opened first.

        Raises what `get` raises, `AdapterWithdrawn` and `AdapterDamaged`.
        """
        adapter = self.get(digest)
        if adapter.status is AdapterStatus.WITHDRAWN:
            raise AdapterWithdrawn(sha12=adapter.sha256[:12])
        self.weights(adapter.sha256)
        row = self._row(adapter.sha256)
        assert row is not None
        with self._database.transaction():
            self._point_to(row["id"])
        return self.get(adapter.sha256)

    def rollback(self) -> PublishedAdapter | None:
        """Back to the nearest ancestor that can serve; None is the plain base.

        Raises `NothingToRollBack` when no adapter is in use.
        """
        current = self._current_id()
        if current is None:
            raise NothingToRollBack
        ancestor = self._nearest_ancestor(current)
        with self._database.transaction():
            self._point_to(None if ancestor is None else ancestor["id"])
        return self.current()

    def weights(self, digest: str) -> bytes:
        """The published bytes, by full digest.

        Raises `UnknownAdapter`, `AdapterWithdrawn`, `AdapterDamaged`.
        """
        row = self._row(digest)
        if row is None:
            raise UnknownAdapter
        if row["withdrawn"]:
            raise AdapterWithdrawn(sha12=digest[:12])
        try:
            weights = self._files.read(digest)
        except (FileDamaged, UnknownFile) as error:
            raise AdapterDamaged(sha12=digest[:12]) from error
        if sha256_hex(weights) != digest:
            raise AdapterDamaged(sha12=digest[:12])
        return weights

    # ----------------------------------------------------------------------- withdrawing

    def kept(self) -> Sequence[KeptAdapter]:
        """Every adapter that there ever was, oldest first, also those that do not open."""
        rows = self._table.rows(order_by="id")
        records = {row["id"]: record for row, record in self._table.intact(rows)}
        current = self._current_id()
        return [kept_adapter(row, records.get(row["id"]), current) for row in rows]

    def withdraw(self, numbers: Collection[int], *, current: int | None) -> None:
        """Destroy the weights of these for good, and have `current` serve (None: the base).

        The records stay. Joins the open transaction, or makes one.
        """
        with self._database.transaction():
            for number in numbers:
                row = self._table.rows("id = ?", (number,))[0]
                self._table.mark(row, withdrawn=WITHDRAWN, pinned=0)
                self._files.empty(row["file"])
                self._database.observe("withdraw:adapter")
            if self._current_id() != current:
                self._point_to(current)

    def has_weights(self, digest: str) -> bool:
        """Whether anything of its weights is left, whatever its record says."""
        try:
            return bool(self._files.read(digest))
        except (FileDamaged, UnknownFile):
            return False

    def opens(self, digest: str) -> bool:
        """Whether its weights are there, whole."""
        return self._opens(digest)

    # ----------------------------------------------------------------------- inside

    def _nearest_ancestor(self, adapter_id: int) -> Row | None:
        intact = {record["sha256"]: (row, record) for row, record in self._table.intact()}
        parents = {row["id"]: record["parent"] for row, record in intact.values()}
        if adapter_id in parents:
            digest = parents[adapter_id]
        else:  # its record is damaged: the newest one from before it
            older = [key for key, (row, _) in intact.items() if row["id"] < adapter_id]
            digest = older[-1] if older else None
        while digest in intact:
            row, record = intact[digest]
            if not row["withdrawn"] and self._opens(digest):
                return row
            digest = record["parent"]
        return None

    def _opens(self, digest: str) -> bool:
        try:
            self.weights(digest)
        except (AdapterDamaged, AdapterWithdrawn, UnknownAdapter):
            return False
        return True

    def _refuse_withdrawn_parent(self, candidate: CandidateAdapter) -> None:
        """What was made from weights that had to go is made of them."""
        parent = None if candidate.parent is None else self._row(candidate.parent)
        if parent is not None and parent["withdrawn"] == WITHDRAWN:
            raise AdapterWithdrawn(sha12=str(candidate.parent)[:12])

    def _row(self, digest: str) -> Row | None:
        rows = self._table.rows("sha_hash = ?", (self._lookup.name("adapter", digest),))
        return rows[0] if rows else None

    def _open(self, row: Row) -> Record:
        try:
            return self._table.open(row)
        except RowDamaged as error:
            raise AdapterDamaged(sha12=f"number {row['id']}") from error

    def _adapter(self, row: Row, record: Record, current: int | None) -> PublishedAdapter:
        status = AdapterStatus.CURRENT if row["id"] == current else AdapterStatus.AVAILABLE
        return PublishedAdapter(
            sha256=record["sha256"],
            base=record["base"],
            parent=record["parent"],
            trained_at=record["trained_at"],
            status=AdapterStatus.WITHDRAWN if row["withdrawn"] else status,
            seen_items=frozenset(record["seen_items"]),
            measured=_measured(record["measured"]),
            pinned=bool(row["pinned"]),
            learned=frozenset(record.get("learned", ())),
        )

    def _current_id(self) -> int | None:
        rows = self._database.fetch("SELECT adapter FROM pointers WHERE name = ?", [CURRENT])
        return rows[0][0] if rows else None

    def _point_to(self, adapter_id: int | None) -> None:
        """Within a transaction: move the `current` pointer."""
        rows = self._database.fetch(
            "SELECT id, name, adapter FROM pointers WHERE name = ?", [CURRENT]
        )
        pointer_id = rows[0][0] if rows else self._database.manifest.next_ids("pointers")
        if rows:
            self._database.uncover("pointers", rows[0])
        self._database.cover("pointers", (pointer_id, CURRENT, adapter_id))
        self._database.database.table("pointers").upsert(
            {"id": pointer_id, "name": CURRENT, "adapter": adapter_id}, pk="id"
        )


def _measured(record: Record) -> Measured:
    """Facts that a later version added to the record are left alone."""
    known: dict[str, Any] = {
        field.name: record[field.name]
        for field in dataclasses.fields(Measured)
        if field.name in record
    }
    return Measured(**known)
