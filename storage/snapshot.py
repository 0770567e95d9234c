"""One state of an open vault, to be read while the vault goes on changing.

The rows come from a read transaction of a second connection, so writers do not wait; the sealed
files are held open, so that one which is replaced meanwhile is still there to be read. Until the
snapshot is closed, what was deleted stays in the write-ahead log. Opens no seal and needs no key.
"""

import contextlib
import os
import resource
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.errors import BackupInterrupted
from storage.manifest import Cell
from storage.schema import connect
from storage.sealed_database import SealedDatabase
from storage.sealed_files import SUFFIX

READ_BYTES = 1 << 20
_SPARE_DESCRIPTORS = 256  # for everything else that a process does


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFile:
    """A sealed file of the snapshot; None when the vault's record of it has no file."""

    purpose: str
    disk_name: str
    length: int
    descriptor: int | None


class Snapshot:
    """Make it through `Vault.snapshot`, and close it."""

    def __init__(self, database: SealedDatabase, path: Path, files: Path) -> None:
        """For `Vault.snapshot`.

        Args:
            path: of vault.db.
            files: where the folders of sealed files lie.
        """
        self._database = database
        self._lock = threading.Lock()
        self._open = True
        self._stack = contextlib.ExitStack()
        with database.reading(), contextlib.ExitStack() as stack:
            connection = connect(path)
            stack.callback(connection.close)
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA cache_size = -1024")
            connection.execute("BEGIN")
            self._connection = connection
            self.generation = database.manifest.generation
            self.documents = self._number(
                "SELECT count(*) FROM documents WHERE state != 'superseded'"
            )
            self.adapters = self._number("SELECT count(*) FROM adapters WHERE withdrawn = 0")
            self.files = self._hold(files, stack)
            database.snapshot_opened(self.close)
            self._stack = stack.pop_all()

    @property
    def about_bytes(self) -> int:
        """Roughly how much there is to read."""
        pages = self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count")
        page_bytes = self._number("PRAGMA page_size")
        return pages * page_bytes + sum(file.length for file in self.files)

    def tables(self) -> dict[str, tuple[str, ...]]:
        """All tables with their columns, in order of name."""
        names = self._fetch(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
            "ORDER BY name"
        )
        return {
            name: tuple(row[1] for row in self._fetch(f'PRAGMA table_info("{name}")'))
            for (name,) in names
        }

    def rows(self, table: str, columns: tuple[str, ...]) -> Iterator[tuple[Cell, ...]]:
        """One at a time, oldest first. Raises `BackupInterrupted` once the vault was closed."""
        wanted = ", ".join(f'"{column}"' for column in columns)
        with self._reading():
            cursor = self._connection.execute(
                f'SELECT {wanted} FROM "{table}" ORDER BY id'  # noqa: S608 - the schema's names
            )
        while True:
            with self._reading():
                row = cursor.fetchone()
            if row is None:
                return
            yield row

    def read_file(self, file: HeldFile) -> Iterator[bytes]:
        """`file.length` bytes. Raises `BackupInterrupted`."""
        position = 0
        while position < file.length:
            with self._reading():
                assert file.descriptor is not None
                wanted = min(READ_BYTES, file.length - position)
                piece = os.pread(file.descriptor, wanted, position)
            if not piece:  # cut by somebody while it was open
                piece = bytes(wanted)
            position += len(piece)
            yield piece

    def close(self) -> None:
        """Let the vault empty its log again. Closing twice is no mistake; from any thread."""
        with self._lock:
            if not self._open:
                return
            self._open = False
            self._stack.close()
        self._database.snapshot_closed(self.close)

    def __enter__(self) -> "Snapshot":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ----------------------------------------------------------------------- inside

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock:
            if not self._open:
                raise BackupInterrupted
            yield

    def _fetch(self, sql: str) -> list[Any]:
        with self._reading():
            return self._connection.execute(sql).fetchall()

    def _number(self, sql: str) -> int:
        return int(self._fetch(sql)[0][0])

    def _hold(self, folder: Path, stack: contextlib.ExitStack) -> tuple[HeldFile, ...]:
        records = self._fetch("SELECT purpose, disk_name FROM sealed_files ORDER BY id")
        _allow_descriptors(len(records) + _SPARE_DESCRIPTORS)
        held = []
        for purpose, disk_name in records:
            descriptor = None
            with contextlib.suppress(FileNotFoundError):  # `verify` names it, here and there
                descriptor = os.open(
                    folder / purpose / (disk_name + SUFFIX), os.O_RDONLY | os.O_CLOEXEC
                )
                stack.callback(os.close, descriptor)
            held.append(
                HeldFile(
                    purpose=purpose,
                    disk_name=disk_name,
                    length=0 if descriptor is None else os.fstat(descriptor).st_size,
                    descriptor=descriptor,
                )
            )
        return tuple(held)


def _allow_descriptors(count: int) -> None:
    """Raise the soft limit where that is needed and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return
    with contextlib.suppress(ValueError, OSError):
        wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
