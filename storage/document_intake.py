"""A batch of documents on its way in: look up, decide, seal, write. A part of `documents.py`."""

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
from storage.sealing import FORMAT, pad, seal_each
from storage.tombstones import Tombstones

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
        self._tombstones = tombstones
        self._copies: dict[bytes, bytes] = {}
        if not tombstones.none:
            self._copies = {one: lookup.copy_of(one) for one in self._content_hashes}
        self._buried = tombstones.among(
            {*self._item_hashes, *self._content_hashes, *self._copies.values()}
        )
        self._new_copies: list[bytes] = []  # items to be kept out as well
        self._items = self._find_items()
        self._live = self._find_live()
        self._new_items: list[tuple[int, bytes, bytes]] = []
        self._new_rows: list[DocumentRow] = []
        self._new_indices: list[int] = []  # of the documents that become these rows
        self._next_item = database.manifest.tally("items").last_id + 1
        self._first_row = database.manifest.tally("documents").last_id + 1
        self._first_key = database.manifest.tally("data_keys").last_id + 1
        self._superseded: list[DocumentRow] = []

    def take(self, index: int) -> PutResult:
        item_hash, content_hash = self._item_hashes[index], self._content_hashes[index]
        item = self._items.get(item_hash)
        twin = self._live.get(content_hash)
        buried = item_hash in self._buried or content_hash in self._buried
        outcome = decide(buried=buried, item=item, twin=twin, content_hash=content_hash)
        if outcome is PutOutcome.FORGOTTEN:
            if item is None and self._copies[content_hash] in self._buried:
                self._new_copies.append(item_hash)
            return PutResult(outcome, None)
        if outcome is PutOutcome.UNCHANGED:
            assert item is not None
            assert item.live is not None
            return PutResult(outcome, item.live.id)
        if item is not None:
            self._supersede(item)  # its file says something else now
        if outcome is PutOutcome.DUPLICATE:
            assert twin is not None
            return PutResult(outcome, twin.id)
        item = item or self._new_item(index)
        return PutResult(outcome, self._new_version(item, index))

    def write(self) -> None:
        """Seal and write what was taken, each table in one go."""
        database, rows, items = self._database, self._new_rows, self._new_items
        self._tombstones.bury(self._new_copies, day=self._day)
        database.manifest.next_ids("items", len(items))
        database.manifest.next_ids("documents", len(rows))
        raws = database.add_data_keys(len(rows))
        documents = [self._documents[index] for index in self._new_indices]
        padded = map(pad, map(encode_document, documents))
        bindings = [text_binding(row.id) for row in rows]
        sealed = seal_each(len(rows), raws, padded, bindings)
        many = database.database.conn.executemany
        many("INSERT INTO items (id, item_hash, source_hash) VALUES (?, ?, ?)", items)
        many(
            "INSERT INTO documents (id, item, version, state, day, content_hash, key) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [row.cells for row in rows],
        )
        many(
            "INSERT INTO document_texts (id, sealed) VALUES (?, ?)",
            zip([row.id for row in rows], sealed, strict=True),
        )
        database.cover_encoded("items", [encoded_item(*item) for item in items])
        database.cover_encoded("documents", [row.encoded for row in rows])
        move_documents(database, [(row, DocumentState.SUPERSEDED) for row in self._superseded])

    # ----------------------------------------------------------------------- inside

    def _supersede(self, item: ItemVersions) -> None:
        if item.live is not None:
            self._superseded.append(item.live)
            self._live.pop(item.live.content_hash, None)
            item.live = None

    def _new_item(self, index: int) -> ItemVersions:
        item = ItemVersions(self._next_item)
        self._next_item += 1
        item_hash = self._item_hashes[index]
        source_hash = self._source_hashes[self._documents[index].source]
        self._items[item_hash] = item
        self._new_items.append((item.item_id, item_hash, source_hash))
        return item

    def _new_version(self, item: ItemVersions, index: int) -> int:
        place = len(self._new_rows)
        content_hash = self._content_hashes[index]
        item.last_version += 1
        item.live = row = DocumentRow(
            self._first_row + place,
            item.item_id,
            item.last_version,
            DocumentState.NEW,
            self._day,
            content_hash,
            self._first_key + place,
        )
        self._new_rows.append(row)
        self._new_indices.append(index)
        self._live[content_hash] = row
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
        database.cover("documents", row._replace(state=state).cells)
    database.database.conn.executemany(
        "UPDATE documents SET state = ? WHERE id = ?",
        [(str(state), row.id) for row, state in changed],
    )


def text_binding(document_id: int) -> bytes:
    """As `row_binding`, in a third of its time."""
    return b"nightloom/%d|document_texts|%d|sealed" % (FORMAT, document_id)


def encoded_item(number: int, item_hash: bytes, source_hash: bytes) -> bytes:
    """What `manifest.encode_row` makes of a row of `items`, in a third of its time."""
    lengths = len(item_hash), len(source_hash)
    return b"items|i%d;b%d:%bb%d:%b" % (number, lengths[0], item_hash, lengths[1], source_hash)


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
