"""A vault from a backup: made beside its place, verified, and only then put there.

Whatever goes wrong leaves nothing: no folder, no half of a vault. Needs the recovery key that the
vault had when the backup was made.
"""

import contextlib
import datetime
import fcntl
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.backup_format import (
    ABOUT,
    END,
    FILE,
    ROWS,
    SLOTS,
    Entries,
    Entry,
    Header,
    decode_rows,
    unseal_file_key,
)
from storage.documents import today
from storage.durable import (
    PRIVATE_FOLDER,
    Observer,
    create_private,
    full_disk_named,
    sync_file,
    sync_folder,
    unobserved,
)
from storage.errors import BackupDamaged, BackupNotWhole, VaultBusy, VaultExists
from storage.file_stream import Reader
from storage.keys import RecoveryKey, recovery_key_pair
from storage.records import AdapterStatus
from storage.schema import connect, create_tables
from storage.sealed_database import SealedDatabase, sqlite_errors_named
from storage.sealed_files import SUFFIX
from storage.sealing import derive_key
from storage.slots import decode_slots, read_slots, unlock, write_slots
from storage.sqlite import Database
from storage.vault import Vault
from storage.vault_keys import load_keys
from storage.vault_layout import DATABASE, FILES, WITNESS
from storage.vault_layout import SLOTS as SLOT_FILE
from storage.verification import VaultReport
from storage.witness import Witness

RESTORED = "restored"  # the kind of the event that records it
_DISK_NAME = re.compile(r"[0-9a-f]{32}")
_LARGEST_SLOTS = 256 * 1024
_MOST_ROWS_BYTES = 1 << 29  # one row may be large; none is larger than SQLite's own limit
_MOST_COLUMNS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a vault that came out of a backup holds."""

    day: str  # of the backup, ISO date
    generation: int
    documents: int
    adapters: int  # those that have weights
    bases: tuple[str, ...]  # identities that its adapters belong to, the one in use first
    sources: int
    slots: tuple[str, ...]  # their kinds
    damaged: int  # rows, files and tables that were damaged when the backup was made


def restore(
    source: Reader,
    folder: Path,
    recovery_key: RecoveryKey,
    *,
    even_if_damaged: bool = False,
    observe: Observer = unobserved,
    day: Callable[[], str] = today,
) -> Restored:
    """Read a backup to its end and make the vault at `folder`, which is missing or empty.

    The slots of the old machine's keyring and the like are not in it. The older state is recorded
    as an event, and the witness starts anew from it.

    Raises `VaultExists`, `VaultBusy` while another process restores there, `NotABackup`,
    `BackupTooNew`, `BackupDamaged`, `BackupNotWhole` unless `even_if_damaged`, `WrongBackupKey`,
    `StorageFull`.
    """
    if folder.is_symlink() or (folder.exists() and any(folder.iterdir())):
        raise VaultExists
    header = Header.read(source)
    private = recovery_key_pair(recovery_key, vault_id=header.vault_id)
    entries = Entries(source, header, unseal_file_key(header, private))
    with _draft_beside(folder) as draft, full_disk_named():
        about = _fill(draft, entries, header)
        observe("restore:filled")
        restored = _accept(
            draft, recovery_key, about, even_if_damaged=even_if_damaged, observe=observe, day=day
        )
        sync_folder(draft)
        observe("restore:before-rename")
        try:
            draft.rename(folder)
        except OSError as error:
            raise VaultExists from error
        sync_folder(folder.parent)
    return restored


@contextlib.contextmanager
def _draft_beside(folder: Path) -> Iterator[Path]:
    """An empty folder beside the vault's; gone afterwards unless it was renamed."""
    draft = folder.with_name(f".{folder.name}.restoring")
    with full_disk_named():
        folder.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        draft.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    descriptor = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VaultBusy from None
        try:
            _empty(draft)  # what one that was killed left
            yield draft
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    finally:
        os.close(descriptor)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


# --------------------------------------------------------------------------- filling


def _fill(draft: Path, entries: Entries, header: Header) -> dict[str, Any]:
    """Everything in the backup, on the medium; what it says about itself."""
    about = entries.next()
    if about.kind != ABOUT or about.length:
        raise BackupDamaged(what="it begins with something else")
    _fill_slots(draft, entries, header)
    (draft / FILES).mkdir(mode=PRIVATE_FOLDER)
    os.close(create_private(draft / DATABASE))
    with sqlite_errors_named(), contextlib.closing(connect(draft / DATABASE)) as database:
        with database.atomic():
            create_tables(database)
        # Nobody depends on the draft before its rename, and it is synced before that.
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA foreign_keys = OFF")
        columns = {name: _columns(database, name) for name in database.table_names()}
        while (entry := entries.next()).kind == ROWS:
            _fill_rows(database, entries, entry, columns)
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with (draft / DATABASE).open("rb") as file:
        sync_file(file.fileno())
    while entry.kind == FILE:
        _fill_file(draft / FILES, entries, entry)
        entry = entries.next()
    if entry.kind != END or entry.length:
        raise BackupDamaged(what="an entry is out of place")
    entries.expect_end()
    return about.facts


def _fill_slots(draft: Path, entries: Entries, header: Header) -> None:
    entry = entries.next()
    if entry.kind != SLOTS or entry.length > _LARGEST_SLOTS:
        raise BackupDamaged(what="its slots are missing")
    slots = decode_slots(entries.read(entry.length))
    if slots.vault_id != header.vault_id:
        raise BackupDamaged(what="its slots belong to another vault")
    write_slots(draft / SLOT_FILE, slots)


def _columns(database: Database, table: str) -> set[str]:
    return {column.name for column in database.table(table).columns}


def _fill_rows(
    database: Database, entries: Entries, entry: Entry, known: dict[str, set[str]]
) -> None:
    table = entry.word("table")
    columns = entry.facts.get("columns")
    if (
        table not in known
        or not isinstance(columns, list)
        or not 0 < len(columns) <= _MOST_COLUMNS
        or not all(isinstance(name, str) and name in known[table] for name in columns)
        or entry.length > _MOST_ROWS_BYTES
    ):
        raise BackupDamaged(what="it holds a table that this nightloom does not know")
    rows = decode_rows(entries.read(entry.length), len(columns))
    named, marks = ", ".join(columns), ", ".join("?" * len(columns))
    with database.atomic():
        try:
            database.conn.executemany(
                f"INSERT INTO {table} ({named}) VALUES ({marks})",  # noqa: S608 - checked above
                rows,
            )
        except sqlite3.IntegrityError as error:
            raise BackupDamaged(what="a row does not fit") from error


def _fill_file(folder: Path, entries: Entries, entry: Entry) -> None:
    purpose, disk_name = entry.word("purpose"), entry.facts.get("disk_name")
    if not isinstance(disk_name, str) or not _DISK_NAME.fullmatch(disk_name):
        raise BackupDamaged(what="an entry has an impossible name")
    at = folder / purpose
    at.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    try:
        descriptor = create_private(at / (disk_name + SUFFIX))
    except FileExistsError as error:
        raise BackupDamaged(what="a file is in it twice") from error
    with os.fdopen(descriptor, "wb") as file:
        for piece in entries.read_chunks(entry.length):
            file.write(piece)
        file.flush()
        sync_file(file.fileno())
    sync_folder(at)


# --------------------------------------------------------------------------- accepting


def _accept(
    draft: Path,
    recovery_key: RecoveryKey,
    about: dict[str, Any],
    *,
    even_if_damaged: bool,
    observe: Observer,
    day: Callable[[], str],
) -> Restored:
    """Open the draft, look at every seal, and record what it is."""
    _witness_anew(draft, recovery_key)
    with Vault.open(draft, recovery_key, older_is_meant=True, observe=observe, day=day) as vault:
        report = vault.verify()
        if not report.intact and not even_if_damaged:
            raise BackupNotWhole(
                tables=len(report.tables) + (not report.manifest_opens),
                rows=len(report.damaged_rows) + len(report.broken_event_links),
                files=len(report.damaged_files),
            )
        made_on = _day(about.get("day"))
        facts = {"generation": report.generation, "day": made_on}
        damaged = _damaged(report)
        vault.ledger.append_event(RESTORED, facts | ({"damaged": damaged} if damaged else {}))
        shelf = [one for one in vault.shelf.list() if one.status is not AdapterStatus.WITHDRAWN]
        current_first = sorted(shelf, key=lambda one: one.status is not AdapterStatus.CURRENT)
        return Restored(
            day=made_on,
            generation=report.generation,
            documents=sum(vault.documents.counts_by_source().values()),
            adapters=len(shelf),
            bases=tuple(dict.fromkeys(adapter.base for adapter in current_first)),
            sources=len(vault.sources.list()),
            slots=tuple(slot.kind for slot in read_slots(draft / SLOT_FILE).slots),
            damaged=damaged,
        )


def _day(told: object) -> str:
    """What the backup says of its day, if it is one."""
    with contextlib.suppress(TypeError, ValueError):
        return datetime.date.fromisoformat(told).isoformat()  # type: ignore[arg-type]
    return ""


def _witness_anew(draft: Path, recovery_key: RecoveryKey) -> None:
    """This state is the newest from now on, whatever was seen before it was put back."""
    slots = read_slots(draft / SLOT_FILE)
    with sqlite_errors_named(), contextlib.closing(connect(draft / DATABASE)) as database:
        keys = load_keys(database, unlock(slots, recovery_key), slots.vault_id)
        witness = Witness(draft / WITNESS, derive_key(keys.manifest, "witness"))
        sealed = SealedDatabase(database, keys, witness)
        witness.start_anew(sealed.manifest.generation)


def _damaged(report: VaultReport) -> int:
    return sum(
        (
            not report.manifest_opens,
            len(report.tables),
            len(report.damaged_rows),
            len(report.damaged_files),
            len(report.broken_event_links),
        )
    )
