"""Documents as sealed rows: items with versions, found by keyed hashes, opened one by one.

Only the newest version of an item is live; older ones are superseded and stay so. Knows nothing of
how text is collected or learned.
"""

import datetime
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from storage.document_intake import Intake, batches, move_documents
from storage.document_opening import opened
from storage.document_removal import remove_documents
from storage.document_replacement import (
    OutdatedPage,
    outdated_ids,
    outdated_page,
    replace_document,
)
from storage.document_rows import (
    DamagedRow,
    DocumentHead,
    DocumentRow,
    PutResult,
)
from storage.errors import RowDamaged, UnknownDocument
from storage.lookup import Lookup
from storage.records import DocumentState, RedactedDocument, StoredDocument
from storage.sealed_database import SealedDatabase
from storage.tombstones import Tombstones

AT_ONCE = 500  # rows per look-up
READ_ROWS = 256
READ_BYTES = 1 << 20
NAME_TRIALS = 10  # documents that may be damaged before a source's name is given up
_COLUMNS = "id, item, version, state, day, content_hash, key"
_D_COLUMNS = "d.id, d.item, d.version, d.state, d.day, d.key"


def today() -> str:
    return datetime.date.today().isoformat()


class Documents:
    """`day` tells the day of collection; tests give their own."""

    def __init__(
        self, database: SealedDatabase, lookup: Lookup, *, day: Callable[[], str] = today
    ) -> None:
        self._database = database
        self._lookup = lookup
        self._tombstones = Tombstones(database)
        self._day = day

    # ----------------------------------------------------------------------- putting

    def put_many(self, documents: Iterable[RedactedDocument]) -> list[PutResult]:
        """Keep what is new, in one transaction; one result per document, in order.

        Raises `StorageFull`, `DocumentTooLarge`; then nothing of the call is kept.
        """
        results: list[PutResult] = []
        day = self._day()
        with self._database.transaction():
            for batch in batches(documents):
                intake = Intake(self._database, self._lookup, self._tombstones, batch, day)
                results += [intake.take(index) for index in range(len(batch))]
                intake.write()
        return results

    def is_forgotten(self, source: str, path: str, text: str) -> bool:
        """Whether a tombstone keeps this file, or this text wherever it stands, from being kept."""
        hashes = {self._lookup.item(source, path), self._lookup.content(text)}
        return bool(self._tombstones.among(hashes))

    # ----------------------------------------------------------------------- reading

    def read(self, document_id: int) -> StoredDocument:
        """Raises `UnknownDocument`, `RowDamaged`."""
        found, _ = self._open_some([document_id])
        if not found:
            raise UnknownDocument(document_id=document_id)
        if isinstance(found[0], DamagedRow):
            raise RowDamaged(table=found[0].table, row_id=found[0].row_id)
        return found[0]

    def read_many(self, states: Collection[DocumentState]) -> Iterator[StoredDocument | DamagedRow]:
        """Documents in these states, oldest first, a megabyte in memory at a time.

        A row that does not open comes as a `DamagedRow`, and the rest goes on. A document that
        leaves these states while the reading goes on may come or not.
        """
        marks = ",".join("?" * len(states))
        ids = [
            row[0]
            for row in self._database.fetch(
                f"SELECT id FROM documents WHERE state IN ({marks}) ORDER BY id",  # noqa: S608 - only marks
                [str(state) for state in states],
            )
        ]
        start = 0
        while start < len(ids):
            opened, asked = self._open_some(ids[start : start + READ_ROWS])
            start += asked
            yield from opened

    def heads(self) -> list[DocumentHead]:
        """All documents, oldest first, without opening any."""
        return [
            DocumentHead(
                document_id=number,
                item_id=item,
                version=version,
                state=DocumentState(state),
                collected_day=day,
                source_key=source_hash,
                key_id=key,
            )
            for number, item, version, state, day, source_hash, key in self._database.fetch(
                "SELECT d.id, d.item, d.version, d.state, d.day, i.source_hash, d.key "
                "FROM documents d JOIN items i ON i.id = d.item ORDER BY d.id"
            )
        ]

    def elsewhere(self, source: str, paths: Collection[str]) -> list[int]:
        """The live documents of a source that are of none of these paths, without opening any."""
        here = {self._lookup.item(source, path) for path in paths}
        rows = self._database.fetch(
            "SELECT d.id, i.item_hash FROM items i JOIN documents d ON d.item = i.id "
            "WHERE i.source_hash = ? AND d.state != 'superseded' ORDER BY d.id",
            [self._lookup.source(source)],
        )
        return [number for number, item_hash in rows if item_hash not in here]

    def source_key(self, source: str) -> bytes:
        """What `DocumentHead.source_key` is for this source."""
        return self._lookup.source(source)

    def at(self, source: str, path: str) -> list[int]:
        """All versions of an item, oldest first; none where there is no such item."""
        rows = self._database.fetch(
            "SELECT d.id FROM items i JOIN documents d ON d.item = i.id WHERE i.item_hash = ? "
            "ORDER BY d.version",
            [self._lookup.item(source, path)],
        )
        return [row[0] for row in rows]

    def text_key(self, text: str) -> bytes:
        """A keyed hash, the same for the same text for as long as there is this vault."""
        return self._lookup.content(text)

    def counts(self) -> dict[DocumentState, int]:
        """Documents per state; every state is there."""
        found = dict(self._database.fetch("SELECT state, count(*) FROM documents GROUP BY state"))
        return {state: found.get(str(state), 0) for state in DocumentState}

    def counts_by_source(self) -> dict[str, int]:
        """Live documents per source, also of sources that were removed since.

        The name is read from one document of each source; where none opens, it is left out.
        """
        counts: dict[str, int] = {}
        for source_hash, count in self._database.fetch(
            "SELECT i.source_hash, count(*) FROM documents d JOIN items i ON i.id = d.item "
            "WHERE d.state != 'superseded' GROUP BY i.source_hash"
        ):
            name = self._name_of(source_hash)
            if name is not None:
                counts[name] = count
        return counts

    def _name_of(self, source_hash: bytes) -> str | None:
        ids = self._database.fetch(
            "SELECT d.id FROM items i JOIN documents d ON d.item = i.id WHERE i.source_hash = ? "
            "ORDER BY d.id LIMIT ?",
            [source_hash, NAME_TRIALS],
        )
        for (document_id,) in ids:
            found, _ = self._open_some([document_id])
            if found and isinstance(found[0], StoredDocument):
                return found[0].source
        return None

    def _open_some(self, ids: list[int]) -> tuple[list[StoredDocument | DamagedRow], int]:
        """The first of `ids`, up to about `READ_BYTES`; and how many were looked up for it."""
        marks = ",".join("?" * len(ids))
        rows, size = [], 0
        with self._database.reading() as database:
            keys = self._database.keys  # of the same moment: a rotation may be waiting
            for row in database.execute(
                f"SELECT {_D_COLUMNS}, k.epoch, k.wrapped, t.sealed FROM documents d "  # noqa: S608 - only marks
                "LEFT JOIN data_keys k ON k.id = d.key LEFT JOIN document_texts t ON t.id = d.id "
                f"WHERE d.id IN ({marks}) ORDER BY d.id",
                ids,
            ):
                rows.append(row)
                size += len(row[-1] or b"")
                if size >= READ_BYTES:
                    break
        asked = len(ids) if size < READ_BYTES else bisect_right(ids, rows[-1][0])
        return list(opened(keys, rows)), asked

    # ----------------------------------------------------------------------- removing

    def delete(self, ids: Iterable[int]) -> int:
        """Rows, texts and keys of these versions, all or none; how many there were.

        They may be collected again, should their files change: `forgetting.py` prevents that too.
        """
        return remove_documents(self._database, ids)

    # ----------------------------------------------------------------------- redacting again

    def replace(self, document_id: int, document: RedactedDocument) -> None:
        """Put a stricter wording in a document's place; see `document_replacement.py`.

        Raises `UnknownDocument`, `DocumentTooLarge`, `StorageFull`.
        """
        replace_document(self._database, self._lookup, document_id, document)

    def outdated(self, rules_version: int) -> Sequence[int]:
        """Documents in any state that were kept under older rules. Opens every document."""
        return outdated_ids(self._database, rules_version)

    def outdated_page(self, rules_version: int, *, after: int) -> OutdatedPage:
        """A bounded part of `outdated`."""
        return outdated_page(self._database, rules_version, after=after)

    # ----------------------------------------------------------------------- states

    def set_states(self, changes: Mapping[int, DocumentState]) -> None:
        """Move documents to new states, all or none.

        A document that was superseded in the meantime stays superseded: the night that learned it
        does not bring it back. Raises `UnknownDocument`.
        """
        with self._database.transaction():
            waiting = iter(changes)
            while ids := list(islice(waiting, AT_ONCE)):
                self._set_some({document_id: changes[document_id] for document_id in ids})

    def _set_some(self, changes: Mapping[int, DocumentState]) -> None:
        marks = ",".join("?" * len(changes))
        rows = self._database.fetch(
            f"SELECT {_COLUMNS} FROM documents WHERE id IN ({marks})",  # noqa: S608 - only marks
            list(changes),
        )
        found = {row[0]: DocumentRow.of(row) for row in rows}
        for document_id in changes:
            if document_id not in found:
                raise UnknownDocument(document_id=document_id)
        move_documents(
            self._database,
            [
                (row, changes[row.id])
                for row in found.values()
                if row.state is not DocumentState.SUPERSEDED
            ],
        )
