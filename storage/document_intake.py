"""A batch of documents on its way in: look up, decide, seal, write. A part of `documents.py`."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from storage.document_rows import (
    DocumentRow,
    ItemVersions,
    PutOutcome,
    PutResult,
    decide,
    encode_document,
)
from storage.lookup import Lookup
from storage.records import DocumentState, RedactedDocument
from storage.sealed_database import SealedDatabase
from storage.sealing import row_binding, seal_row
from storage.tombstones import Tombstones
from storage.vault_keys import DataKey

BATCH_ROWS = 500
BATCH_CHARACTERS = 4 * 1024 * 1024


def batches(documents: Iterable[RedactedDocument]) -> Iterator[list[RedactedDocument]]:
    """Bounded in rows and in text, so that large files do not pile up in memory."""
    batch: list[RedactedDocument] = []
    characters = 0
    for document in documents:
        batch.append(document)
        characters += len(document.text)
        if len(batch) == BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


class Intake:
    """One batch within one transaction. `take` each document in order, then `write`."""

    def __init__(
        self,
        database: SealedDatabase,
        lookup: Lookup,
        tombstones: Tombstones,
        documents: Sequence[RedactedDocument],
        day: str,
    ) -> None:
        self._database = database
        self._documents = documents
        self._day = day
        self._item_hashes = [lookup.item(one.source, one.path) for one in documents]
        self._content_hashes = [lookup.content(one.text) for one in documents]
        self._source_hashes = {
            source: lookup.source(source) for source in {one.source for one in documents}
        }
        self._buried = tombstones.among({*self._item_hashes, *self._content_hashes})
        self._items = self._find_items()
        self._live = self._find_live()
        self._new_items: list[tuple[int, bytes, bytes]] = []
        self._new_rows: list[DocumentRow] = []
        self._new_texts: list[tuple[int, bytes]] = []
        self._new_keys: list[DataKey] = []
        self._superseded: list[DocumentRow] = []

    def take(self, index: int) -> PutResult:
        item_hash, content_hash = self._item_hashes[index], self._content_hashes[index]
        item = self._items.get(item_hash)
        twin = self._live.get(content_hash)
        outcome = decide(
            buried=item_hash in self._buried or content_hash in self._buried,
            item=item,
            twin=twin,
            content_hash=content_hash,
        )
        if outcome is PutOutcome.FORGOTTEN:
            return PutResult(outcome=outcome, document_id=None)
        if outcome is PutOutcome.UNCHANGED:
            assert item is not None
            assert item.live is not None
            return PutResult(outcome=outcome, document_id=item.live.id)
        if item is not None:
            self._supersede(item)  # its file says something else now
        if outcome is PutOutcome.DUPLICATE:
            assert twin is not None
            return PutResult(outcome=outcome, document_id=twin.id)
        item = item or self._new_item(index)
        return PutResult(outcome=outcome, document_id=self._new_version(item, index))

    def write(self) -> None:
        database = self._database
        database.store_data_keys(self._new_keys)
        many = database.database.conn.executemany
        many("INSERT INTO items (id, item_hash, source_hash) VALUES (?, ?, ?)", self._new_items)
        many(
            "INSERT INTO documents (id, item, version, state, day, content_hash, key) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [row.cells for row in self._new_rows],
        )
        many("INSERT INTO document_texts (id, sealed) VALUES (?, ?)", self._new_texts)
        for item in self._new_items:
            database.cover("items", item)
        for row in self._new_rows:
            database.cover("documents", row.cells)
        move_documents(database, [(row, DocumentState.SUPERSEDED) for row in self._superseded])

    # ----------------------------------------------------------------------- inside

    def _supersede(self, item: ItemVersions) -> None:
        if item.live is not None:
            self._superseded.append(item.live)
            self._live.pop(item.live.content_hash, None)
            item.live = None

    def _new_item(self, index: int) -> ItemVersions:
        item = ItemVersions(item_id=self._database.manifest.next_ids("items"))
        item_hash = self._item_hashes[index]
        source_hash = self._source_hashes[self._documents[index].source]
        self._items[item_hash] = item
        self._new_items.append((item.item_id, item_hash, source_hash))
        return item

    def _new_version(self, item: ItemVersions, index: int) -> int:
        key = self._database.make_data_key()
        row = DocumentRow(
            id=self._database.manifest.next_ids("documents"),
            item=item.item_id,
            version=item.last_version + 1,
            state=DocumentState.NEW,
            day=self._day,
            content_hash=self._content_hashes[index],
            key=key.key_id,
        )
        data = encode_document(self._documents[index])
        self._new_keys.append(key)
        self._new_rows.append(row)
        self._new_texts.append((row.id, seal_row(key.raw, data, text_binding(row.id))))
        item.last_version, item.live = row.version, row
        self._live[row.content_hash] = row
        return row.id

    def _find_items(self) -> dict[bytes, ItemVersions]:
        hashes = list(dict.fromkeys(self._item_hashes))
        rows = self._database.fetch(
            "SELECT i.item_hash, i.id, d.id, d.item, d.version, d.state, d.day, "  # noqa: S608 - only marks
            "d.content_hash, d.key FROM items i LEFT JOIN documents d ON d.item = i.id "
            f"WHERE i.item_hash IN ({_marks(hashes)})",
            hashes,
        )
        items: dict[bytes, ItemVersions] = {}
        for item_hash, item_id, *cells in rows:
            item = items.setdefault(item_hash, ItemVersions(item_id=item_id))
            if cells[0] is None:
                continue
            row = DocumentRow.of(cells)
            item.last_version = max(item.last_version, row.version)
            if row.state is not DocumentState.SUPERSEDED:
                item.live = row
        return items

    def _find_live(self) -> dict[bytes, DocumentRow]:
        hashes = list(dict.fromkeys(self._content_hashes))
        rows = self._database.fetch(
            "SELECT id, item, version, state, day, content_hash, key FROM documents "  # noqa: S608 - only marks
            f"WHERE content_hash IN ({_marks(hashes)}) AND state != 'superseded'",
            hashes,
        )
        return {row.content_hash: row for row in map(DocumentRow.of, rows)}


def move_documents(
    database: SealedDatabase, moves: Iterable[tuple[DocumentRow, DocumentState]]
) -> None:
    """Within a transaction: new states for these rows, in the table and in the manifest."""
    changed = [(row, state) for row, state in moves if row.state is not state]
    for row, state in changed:
        database.uncover("documents", row.cells)
        database.cover("documents", dataclasses.replace(row, state=state).cells)
    database.database.conn.executemany(
        "UPDATE documents SET state = ? WHERE id = ?",
        [(str(state), row.id) for row, state in changed],
    )


def text_binding(document_id: int) -> bytes:
    return row_binding("document_texts", document_id, "sealed")


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
