"""The database under seal: transactions, data keys and the manifest, in one place.

Several changes join one transaction; the outermost one seals the manifest once, commits, and lets
the witness know. Knows tables and rows, nothing of documents or adapters. One thread at a time:
every entrance takes the same re-entrant lock.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from storage.durable import Observer, unobserved
from storage.errors import SealBroken, StorageFailing, StorageFull, VaultDamaged
from storage.manifest import Cell, Manifest
from storage.schema import COVERED
from storage.sealing import derive_key, row_binding, seal, unseal
from storage.sqlite import Database
from storage.vault_keys import DataKey, KeyRow, VaultKeys
from storage.witness import Witness

Action = Callable[[], None]
_MANIFEST_BINDING = row_binding("manifest", 1, "sealed")


class SealedDatabase:
    """One vault's database while it is open."""

    def __init__(
        self,
        database: Database,
        keys: VaultKeys,
        witness: Witness,
        *,
        observe: Observer = unobserved,
    ) -> None:
        self.database = database
        self.keys = keys
        self.observe = observe
        self._witness = witness
        self._lock = threading.RLock()
        self._element_key = derive_key(keys.manifest, "manifest/rows")
        self._seal_key = derive_key(keys.manifest, "manifest/seal")
        self._on_commit: list[Action] = []
        self._on_rollback: list[Action] = []
        self._truncate_log = False
        self._changed = False
        self._closed = False
        self._snapshots: list[Action] = []  # how to close each that is open
        self.manifest_opens = True
        self.manifest = self._load_manifest()

    # ----------------------------------------------------------------------- transactions

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; joins the transaction that is open already, if there is one.

        Raises `StorageFull` when the disk is full and `VaultDamaged` when SQLite finds the file
        malformed; in both cases nothing of the transaction is kept.
        """
        with self._lock, sqlite_errors_named():
            outermost = not self.database.conn.in_transaction
            log_was_to_be_emptied = self._truncate_log
            manifest, commits, rollbacks = (
                self.manifest.copy(),
                len(self._on_commit),
                len(self._on_rollback),
            )
            try:
                with self.database.atomic():
                    yield
                    if outermost:
                        self._store_manifest()
                        self.observe("commit:before")
            except BaseException:
                # What is in the database decides, also when the commit itself was interrupted.
                self.manifest = self._load_manifest() if outermost else manifest
                self._undo(commits, rollbacks)
                if outermost:
                    self._changed, self._truncate_log = False, log_was_to_be_emptied
                raise
            if outermost:
                self._finish()

    def when_committed(self, action: Action) -> None:
        self._on_commit.append(action)

    def when_rolled_back(self, action: Action) -> None:
        self._on_rollback.append(action)

    def _undo(self, commits: int, rollbacks: int) -> None:
        del self._on_commit[commits:]
        undone = self._on_rollback[rollbacks:]
        del self._on_rollback[rollbacks:]
        _run_all(reversed(undone))

    def _finish(self) -> None:
        self.observe("commit:after")
        if self._changed:
            self._witness.write(self.manifest.generation)
            self.observe("witness:written")
        actions, self._on_commit = self._on_commit, []
        self._on_rollback = []
        truncate, self._truncate_log, self._changed = self._truncate_log, False, False
        _run_all(actions)
        if truncate:
            self._empty_log()

    def empty_log(self) -> None:
        """What an earlier process deleted or replaced may still stand in it."""
        with self._lock:
            self._empty_log()

    def _empty_log(self) -> None:
        """Else what was deleted stays readable in the write-ahead log.

        The change is kept by now, so a full disk or a snapshot that is being read is no error
        here: the next change, the end of the snapshot, or closing tries again.
        """
        self._truncate_log = True
        if self._snapshots:
            return
        with contextlib.suppress(sqlite3.OperationalError):
            busy = self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]
            self._truncate_log = bool(busy)

    def snapshot_opened(self, close: Action) -> None:
        """A second connection reads one state from now on; `close` is called before we close."""
        with self._lock:
            self._snapshots.append(close)

    def snapshot_closed(self, close: Action) -> None:
        with self._lock:
            if close in self._snapshots:
                self._snapshots.remove(close)
            if self._truncate_log and not self._closed and not self.database.conn.in_transaction:
                self._empty_log()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Database]:
        """The database for a look; fetch everything before leaving."""
        with self._lock, sqlite_errors_named():
            yield self.database

    def fetch(self, sql: str, parameters: Sequence[Cell] = ()) -> list[Any]:
        with self.reading() as database:
            return database.execute(sql, parameters).fetchall()

    # ----------------------------------------------------------------------- manifest

    def cover(self, table: str, cells: Iterable[Cell]) -> None:
        self._changed = True
        self.manifest.add(table, cells)

    def cover_encoded(self, table: str, rows: Sequence[bytes]) -> None:
        """As `cover` for many rows that are bytes already, or for none."""
        self._changed |= bool(rows)
        self.manifest.add_encoded(table, rows)

    def uncover(self, table: str, cells: Iterable[Cell]) -> None:
        self._changed = True
        self.manifest.remove(table, cells)

    def covered_cells(self, table: str) -> Iterator[tuple[Cell, ...]]:
        columns = ", ".join(COVERED[table])
        yield from self.fetch(f"SELECT {columns} FROM {table}")  # noqa: S608 - our own names

    def _load_manifest(self) -> Manifest:
        """The sealed state, or one that starts from the ids in use when it does not open.

        A manifest that does not open is never written over: `verify` goes on reporting it.
        """
        row = self.database.execute("SELECT sealed FROM manifest WHERE id = 1").fetchone()
        try:
            data = unseal(self._seal_key, row[0] if row else b"", _MANIFEST_BINDING)
            manifest = Manifest.decode(self._element_key, data)
        except SealBroken:
            self.manifest_opens = False
            manifest = Manifest(key=self._element_key)
        if not self.manifest_opens:
            for table in ("data_keys", *COVERED):
                last = self.database.execute(f"SELECT max(id) FROM {table}").fetchone()  # noqa: S608
                manifest.tally(table).last_id = last[0] or 0
        return manifest

    def _store_manifest(self) -> None:
        if not (self._changed and self.manifest_opens):
            return
        self.manifest.generation += 1
        sealed = seal(self._seal_key, self.manifest.encode(), _MANIFEST_BINDING)
        self.database.execute("UPDATE manifest SET sealed = ? WHERE id = 1", [sealed])

    def first_manifest(self) -> None:
        """For a new vault, whose database has none."""
        self.manifest_opens = True
        self.manifest = Manifest(key=self._element_key, generation=1)
        sealed = seal(self._seal_key, self.manifest.encode(), _MANIFEST_BINDING)
        self.database.table("manifest").insert({"id": 1, "sealed": sealed})

    # ----------------------------------------------------------------------- data keys

    def make_data_key(self) -> DataKey:
        """A fresh key; `store_data_keys` must follow in the same transaction."""
        return self.keys.new_data_key(self.manifest.next_ids("data_keys"))

    def store_data_keys(self, keys: Iterable[DataKey]) -> None:
        self._insert_keys([key.row for key in keys])

    def add_data_keys(self, count: int) -> list[bytes]:
        """`count` fresh keys with the next numbers, stored within the open transaction."""
        first_id = self.manifest.next_ids("data_keys", count)
        raws, rows = self.keys.new_data_keys(first_id, count)
        self._insert_keys(rows)
        return raws

    def _insert_keys(self, rows: list[KeyRow]) -> None:
        self.database.conn.executemany(
            "INSERT INTO data_keys (id, epoch, wrapped) VALUES (?, ?, ?)", rows
        )

    def replace_data_keys(self, rows: Iterable[tuple[int, bytes, int]]) -> int:
        """New (epoch, wrapped) by id, and what was there destroyed; how many."""
        cursor = self.database.conn.executemany(
            "UPDATE data_keys SET epoch = ?, wrapped = ? WHERE id = ?", rows
        )
        self._truncate_log = True
        return int(cursor.rowcount)

    def data_key(self, key_id: int) -> bytes:
        """Raises `SealBroken` when it is gone or was changed."""
        with self.reading():  # row and keys of one moment: a rotation may be waiting
            rows = self.fetch("SELECT epoch, wrapped FROM data_keys WHERE id = ?", [key_id])
            if not rows:
                raise SealBroken
            return self.keys.open_data_key(key_id, *rows[0])

    def witnessed(self) -> int | None:
        """The generation that the file beside the database has seen; None if it says nothing."""
        with self._lock:
            return self._witness.read()

    def destroy_data_key(self, key_id: int) -> None:
        """What it sealed cannot be opened again, not even from the log."""
        self.database.execute("DELETE FROM data_keys WHERE id = ?", [key_id])
        self._truncate_log = True

    def destroy_data_keys(self, key_ids: Iterable[int]) -> None:
        """Many at once, as `destroy_data_key`."""
        self.database.conn.executemany(
            "DELETE FROM data_keys WHERE id = ?", [(key_id,) for key_id in key_ids]
        )
        self._truncate_log = True

    def close(self) -> None:
        """SQLite empties the log as the last connection closes."""
        with self._lock:
            self._closed = True
            for close_snapshot in tuple(self._snapshots):
                close_snapshot()
            self.database.conn.close()
            self._witness.close()


def _run_all(actions: Iterable[Action]) -> None:
    """Removals of files; one that cannot be removed now is swept at the next start."""
    for action in actions:
        with contextlib.suppress(OSError):
            action()


@contextlib.contextmanager
def sqlite_errors_named() -> Iterator[None]:
    """SQLite's "full", "malformed" and "the disk failed" in the vault's own words."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        extended = getattr(error, "sqlite_errorcode", 0)
        code = extended & 0xFF
        if code == sqlite3.SQLITE_FULL or extended == sqlite3.SQLITE_IOERR_SHMSIZE:
            raise StorageFull from error  # the second: no room for the log's index
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise VaultDamaged(what="vault.db is malformed") from error
        if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            raise StorageFailing from error
        raise
