"""Documents on their way out: rows, texts and data keys. A part of `documents.py`.

What is removed cannot be opened again, not even from the log. The item stays, a keyed hash without
versions: adapters that saw it know it by its number, and what comes of the same file later is the
same item. `known_files` stay too, so that a file that did not change is not read again.
`forgetting.py` goes further.
"""

from collections.abc import Iterable, Sequence

from storage.document_rows import DocumentRow
from storage.sealed_database import SealedDatabase

AT_ONCE = 500  # rows per look-up


def remove_documents(database: SealedDatabase, ids: Iterable[int]) -> int:
    """Rows, texts and keys of these versions, in one transaction.

    How many there were; a number that the vault does not hold is no error.
    """
    wanted, removed = list(dict.fromkeys(ids)), 0
    with database.transaction():
        for start in range(0, len(wanted), AT_ONCE):
            rows = _rows(database, wanted[start : start + AT_ONCE])
            for row in rows:
                database.uncover("documents", row.cells)
            database.destroy_data_keys(row.key for row in rows)
            numbers = [(row.id,) for row in rows]
            many = database.database.conn.executemany
            many("DELETE FROM document_texts WHERE id = ?", numbers)
            many("DELETE FROM documents WHERE id = ?", numbers)
            removed += len(rows)
        database.observe("removal:documents")
    return removed


def remove_items(database: SealedDatabase, ids: Iterable[int]) -> None:
    """Within a transaction: items of which no version is left, and that the files were known."""
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        rows = database.fetch(
            f"SELECT id, item_hash, source_hash FROM items WHERE id IN ({_marks(some)})",  # noqa: S608 - only marks
            some,
        )
        for row in rows:
            database.uncover("items", row)
        many = database.database.conn.executemany
        many("DELETE FROM known_files WHERE item_hash = ?", [(row[1],) for row in rows])
        many("DELETE FROM items WHERE id = ?", [(row[0],) for row in rows])


def _rows(database: SealedDatabase, ids: Sequence[int]) -> list[DocumentRow]:
    rows = database.fetch(
        "SELECT id, item, version, state, day, content_hash, key FROM documents "  # noqa: S608 - only marks
        f"WHERE id IN ({_marks(ids)})",
        ids,
    )
    return [DocumentRow.of(row) for row in rows]


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
