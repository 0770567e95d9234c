"""A file that was moved keeps its item: its versions, what was learned of it, and its number.

The item's hash becomes that of the new place, and each version's sealed head says it, under a fresh
key. Numbers, states, days and texts stay, so adapters and nights know it as before, and an edit at
the new place is its next version. Whether a file was moved is for the caller to know.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from storage.document_intake import text_binding
from storage.document_rows import DocumentRow, at_place, decode_document
from storage.errors import SealBroken
from storage.lookup import Lookup
from storage.manifest import Cell
from storage.sealed_database import SealedDatabase
from storage.sealing import seal_row, unseal_row
from storage.tombstones import Tombstones

_COLUMNS = "d.id, d.item, d.version, d.state, d.day, d.content_hash, d.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The item that a document is a version of, and where its file is now."""

    document_id: int
    source: str
    path: str = field(repr=False)


class Moving:
    """A room of the vault."""

    def __init__(self, database: SealedDatabase, lookup: Lookup) -> None:
        self._database = database
        self._lookup = lookup
        self._tombstones = Tombstones(database)

    def move(self, moves: Iterable[Move]) -> set[int]:
        """Those documents whose items are at the new place now, all in one transaction.

        Not moved is what is not there, what does not open, and what would come to a place that
        was forgotten or where another live text is.
        """
        with self._database.transaction():
            return {one.document_id for one in moves if self._move(one)}

    def _move(self, move: Move) -> bool:
        rows = self._database.fetch(
            "SELECT i.id, i.item_hash, i.source_hash FROM items i "
            "JOIN documents d ON d.item = i.id WHERE d.id = ?",
            [move.document_id],
        )
        if not rows:
            return False
        number, before, _ = item = rows[0]
        there = self._lookup.item(move.source, move.path)
        if there == before or self._tombstones.among({there}):
            return False
        texts = self._opened(number)
        if texts is None or not self._clear(move, there):
            return False
        self._exchange(item, (number, there, self._lookup.source(move.source)))
        self._database.database.execute("DELETE FROM known_files WHERE item_hash = ?", [before])
        for row, text in texts:
            self._seal_again(row, at_place(text, source=move.source, path=move.path))
        self._database.observe("moving:written")
        return True

    def _opened(self, item: int) -> list[tuple[DocumentRow, bytes]] | None:
        """All versions; None when one does not open, for then nothing of it is touched."""
        keys, texts = self._database.keys, []
        for *cells, epoch, wrapped, sealed in self._database.fetch(
            f"SELECT {_COLUMNS}, k.epoch, k.wrapped, t.sealed FROM documents d "  # noqa: S608 - only columns
            "LEFT JOIN data_keys k ON k.id = d.key LEFT JOIN document_texts t ON t.id = d.id "
            "WHERE d.item = ? ORDER BY d.version",
            [item],
        ):
            try:
                row = DocumentRow.of(cells)
                raw = keys.open_data_key(row.key, epoch, wrapped)
                text = unseal_row(raw, sealed, text_binding(row.id))
                decode_document(text)
            except (SealBroken, KeyError, TypeError):
                return None
            texts.append((row, text))
        return texts

    def _clear(self, move: Move, there: bytes) -> bool:
        """Make the place free; whether it is. What once stood there stays, as history."""
        rows = self._database.fetch(
            "SELECT id, item_hash, source_hash FROM items WHERE item_hash = ?", [there]
        )
        for item in rows:
            if self._database.fetch(
                "SELECT 1 FROM documents WHERE item = ? AND state != 'superseded'", [item[0]]
            ):
                return False
            # No path has this character, so nothing is ever collected from there.
            nowhere = self._lookup.item(move.source, f"{move.path}\0{item[0]}")
            self._exchange(item, (item[0], nowhere, item[2]))
        return True

    def _exchange(self, before: tuple[Cell, ...], after: tuple[Cell, ...]) -> None:
        self._database.uncover("items", before)
        self._database.cover("items", after)
        self._database.database.execute(
            "UPDATE items SET item_hash = ?, source_hash = ? WHERE id = ?",
            [after[1], after[2], after[0]],
        )

    def _seal_again(self, old: DocumentRow, text: bytes) -> None:
        database, execute = self._database, self._database.database.execute
        key = database.make_data_key()
        database.store_data_keys([key])
        new = old._replace(key=key.key_id)
        sealed = seal_row(key.raw, text, text_binding(old.id))
        execute("UPDATE documents SET key = ? WHERE id = ?", [new.key, old.id])
        execute("UPDATE document_texts SET sealed = ? WHERE id = ?", [sealed, old.id])
        database.uncover("documents", old.cells)
        database.cover("documents", new.cells)
        database.destroy_data_key(old.key)
