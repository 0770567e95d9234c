"""The two that are compared: a vault, and plain SQLite with the same pragmas and texts in clear."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from storage.document_rows import PutOutcome
from storage.keys import Argon2Parameters
from storage.records import DocumentState, RedactedDocument, StoredDocument
from storage.schema import connect
from storage.vault import Vault
from storage.vault_layout import DATABASE

_QUICK = Argon2Parameters(time_cost=1, memory_kib=64, lanes=1)  # nobody is kept out here


class Side(Protocol):
    """What each can be asked; every call says of how many documents it took care."""

    def insert(self, documents: Sequence[RedactedDocument]) -> int: ...
    def look_up(self, documents: Sequence[RedactedDocument]) -> int: ...
    def scan(self) -> int: ...
    def read(self, numbers: Sequence[int]) -> int: ...
    def verify(self) -> int: ...
    def size_bytes(self) -> int: ...
    def close(self) -> None: ...


class Ours:
    """A vault of its own, as the service uses it."""

    def __init__(self, folder: Path) -> None:
        self._database = folder / "vault" / DATABASE
        self._vault, _ = Vault.create(folder / "vault", passphrase="-", argon2=_QUICK)  # noqa: S106

    def insert(self, documents: Sequence[RedactedDocument]) -> int:
        results = self._vault.documents.put_many(documents)
        return sum(result.outcome is PutOutcome.STORED for result in results)

    def look_up(self, documents: Sequence[RedactedDocument]) -> int:
        results = self._vault.documents.put_many(documents)
        return sum(result.outcome is PutOutcome.UNCHANGED for result in results)

    def scan(self) -> int:
        found = self._vault.documents.read_many(tuple(DocumentState))
        return sum(type(one) is StoredDocument for one in found)

    def read(self, numbers: Sequence[int]) -> int:
        read = self._vault.documents.read
        return sum(bool(read(number).text) for number in numbers)

    def rotate(self) -> int:
        """How many data keys were wrapped anew."""
        return self._vault.rotate().data_keys

    def verify(self) -> int:
        assert self._vault.verify().intact
        return sum(self._vault.documents.counts().values())

    def size_bytes(self) -> int:
        return _size(self._database)

    def close(self) -> None:
        self._vault.close()


class Plain:
    """One table with an index on the path; a document is found by it and compared."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "plain.db"
        self._connection = connect(self._file).conn
        self._connection.execute(
            "CREATE TABLE documents (id INTEGER PRIMARY KEY, source TEXT NOT NULL, "
            "path TEXT NOT NULL, modified_at REAL NOT NULL, text TEXT NOT NULL) STRICT"
        )
        self._connection.execute("CREATE UNIQUE INDEX by_path ON documents (path)")

    def insert(self, documents: Sequence[RedactedDocument]) -> int:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT INTO documents (source, path, modified_at, text) VALUES (?, ?, ?, ?)",
            [(one.source, one.path, one.modified_at, one.text) for one in documents],
        )
        self._connection.execute("COMMIT")
        return len(documents)

    def look_up(self, documents: Sequence[RedactedDocument]) -> int:
        sql = "SELECT text FROM documents WHERE path = ?"
        found = 0
        for one in documents:
            row = self._connection.execute(sql, [one.path]).fetchone()
            found += row is not None and row[0] == one.text
        return found

    def scan(self) -> int:
        rows = self._connection.execute("SELECT * FROM documents ORDER BY id")
        return sum(bool(row[4]) for row in rows)

    def read(self, numbers: Sequence[int]) -> int:
        sql = "SELECT * FROM documents WHERE id = ?"
        execute = self._connection.execute
        return sum(bool(execute(sql, [number]).fetchone()[4]) for number in numbers)

    def verify(self) -> int:
        assert self._connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return int(self._connection.execute("SELECT count(*) FROM documents").fetchone()[0])

    def size_bytes(self) -> int:
        return _size(self._file)

    def close(self) -> None:
        self._connection.close()


def _size(database: Path) -> int:
    """With its log."""
    files = (database, database.with_name(database.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
