"""Sealed files beside the database: adapters, checkpoints, samples. Private text in other shapes.

A file is written under a random name, synced and renamed, and only then does one transaction give
it its record and its key. So a file is there whole or not at all, a replaced one is gone with its
key, and what a crash leaves behind is a file that no record names: it is swept at the next start.
Knows nothing of what is inside.
"""

import contextlib
import io
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from storage.durable import (
    PRIVATE_FOLDER,
    create_private,
    full_disk_named,
    sync_file,
    sync_folder,
)
from storage.errors import FileDamaged, RowDamaged, SealBroken, UnknownFile
from storage.file_stream import seal_stream, unseal_stream
from storage.lookup import Lookup
from storage.sealed_database import SealedDatabase
from storage.sealed_table import Row, SealedTable
from storage.sealing import FORMAT, new_key

SUFFIX = ".sealed"


class SealedFiles:
    """The files of one purpose, by name."""

    def __init__(
        self, database: SealedDatabase, lookup: Lookup, folder: Path, *, purpose: str
    ) -> None:
        self._database = database
        self._table = SealedTable(database, "sealed_files")
        self._lookup = lookup
        self._folder = folder
        self.purpose = purpose

    def write(self, name: str, chunks: Iterable[bytes]) -> int:
        """Keep a file, in place of one of the same name; the id of its record.

        The chunks are taken without holding the database, so they may come slowly. In an open
        transaction the file appears, or the old one stays, with the rest of it.
        """
        disk_name = secrets.token_hex(16)
        key = new_key()
        try:
            size = self._write_file(disk_name, seal_stream(key, chunks, self._binding(disk_name)))
            with self._database.transaction():
                self._database.when_rolled_back(lambda: self._remove_file(disk_name))
                existing = self._row(name)
                if existing is not None:
                    self._delete(existing)
                return self._table.insert(
                    {"name": name, "key": key.hex()},
                    name_hash=self._lookup.name(self.purpose, name),
                    purpose=self.purpose,
                    disk_name=disk_name,
                    bytes=size,
                )
        except BaseException:
            self._remove_file(disk_name)
            raise

    def read(self, name: str) -> bytes:
        """The whole file. Raises `UnknownFile`, `FileDamaged`."""
        whole = io.BytesIO()
        for chunk in self.read_chunks(name):
            whole.write(chunk)
        return whole.getvalue()

    def read_chunks(self, name: str) -> Iterator[bytes]:
        """Authenticated chunks of at most 64 KiB; `FileDamaged` can come at any of them."""
        row = self._row(name)
        if row is None:
            raise UnknownFile(purpose=self.purpose)
        yield from self._open(row)

    def exists(self, name: str) -> bool:
        return self._row(name) is not None

    def names(self) -> list[str]:
        """Oldest first; a file whose record is damaged has no name any more."""
        return [
            record["name"] for row, record in self._table.intact() if row["purpose"] == self.purpose
        ]

    def delete(self, name: str) -> bool:
        """File, record and key; False when there was none."""
        with self._database.transaction():
            row = self._row(name)
            if row is not None:
                self._delete(row)
        return row is not None

    def empty(self, number: int) -> None:
        """Nothing is left of the file with this record but its name: others still refer to it.

        The old key is destroyed with the change, and the old file removed after it.
        """
        row = self._table.rows("id = ?", (number,))[0]
        try:
            name = str(self._table.open(row)["name"])
        except RowDamaged:
            name = ""
        disk_name, key = secrets.token_hex(16), new_key()
        try:
            size = self._write_file(disk_name, seal_stream(key, (), self._binding(disk_name)))
            with self._database.transaction():
                self._database.when_rolled_back(lambda: self._remove_file(disk_name))
                self._table.replace(row, {"name": name, "key": key.hex()})
                (new_row,) = self._table.rows("id = ?", (number,))
                self._table.mark(new_row, disk_name=disk_name, bytes=size)
                self._database.when_committed(lambda: self._remove_file(row["disk_name"]))
        except BaseException:
            self._remove_file(disk_name)
            raise

    def damaged(self) -> list[int]:
        """Record numbers of the files that do not open from the first to the last byte."""
        numbers = []
        for row in self._table.rows("purpose = ?", (self.purpose,), order_by="id"):
            try:
                for _ in self._open(row):
                    pass
            except FileDamaged:
                numbers.append(row["id"])
        return numbers

    def sweep(self) -> int:
        """Remove what a crash left behind: files that no record names. How many."""
        self._folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        rows = self._table.rows("purpose = ?", (self.purpose,), select="disk_name")
        kept = {row["disk_name"] + SUFFIX for row in rows}
        orphans = [path for path in self._folder.iterdir() if path.name not in kept]
        for path in orphans:
            path.unlink()
        return len(orphans)

    # ----------------------------------------------------------------------- inside

    def _open(self, row: Row) -> Iterator[bytes]:
        try:
            key = bytes.fromhex(self._table.open(row)["key"])
            with (self._folder / (row["disk_name"] + SUFFIX)).open("rb") as file:
                yield from unseal_stream(key, file, self._binding(row["disk_name"]))
        except (SealBroken, RowDamaged, FileNotFoundError) as error:
            raise FileDamaged(purpose=self.purpose, number=row["id"]) from error

    def _binding(self, disk_name: str) -> bytes:
        return f"nightloom/{FORMAT}|{self.purpose}|{disk_name}".encode()

    def _row(self, name: str) -> Row | None:
        rows = self._table.rows("name_hash = ?", (self._lookup.name(self.purpose, name),))
        return rows[0] if rows else None

    def _delete(self, row: Row) -> None:
        self._table.delete(row)
        self._database.when_committed(lambda: self._remove_file(row["disk_name"]))

    def _write_file(self, disk_name: str, sealed: Iterator[bytes]) -> int:
        temporary = self._folder / (disk_name + ".tmp")
        size = 0
        try:
            with full_disk_named():
                with os.fdopen(create_private(temporary), "wb") as file:
                    for piece in sealed:
                        size += file.write(piece)
                    file.flush()
                    sync_file(file.fileno())
                self._database.observe("file:written")
                sync_folder(self._folder)
                temporary.rename(self._folder / (disk_name + SUFFIX))
                sync_folder(self._folder)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._database.observe("file:renamed")
        return size

    def _remove_file(self, disk_name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self._folder / (disk_name + SUFFIX)).unlink()
