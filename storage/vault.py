"""The vault: a folder with a slot file, a sealed database, sealed files, a witness and a lock.

This is the door: it creates, opens, checks and closes, and hands out the rooms (`documents`,
`sources`, `shelf`, `ledger`, `checkpoints`, `samples`). It may be used from any thread, one at a
time. Knows nothing of models, sockets or files being watched.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from storage.adapter_shelf import AdapterShelf
from storage.documents import Documents, today
from storage.durable import (
    PRIVATE_FOLDER,
    Observer,
    create_private,
    full_disk_named,
    lock_exclusively,
    sync_folder,
    unobserved,
)
from storage.errors import RolledBack, VaultBusy, VaultDamaged, VaultExists, VaultMissing
from storage.keys import (
    DEFAULT_ARGON2,
    Argon2Parameters,
    Passphrase,
    RecoveryKey,
    RootKey,
    Secret,
)
from storage.known_files import KnownFiles
from storage.ledger import Ledger
from storage.lookup import Lookup
from storage.schema import check_format, connect, create_tables
from storage.sealed_database import SealedDatabase, sqlite_errors_named
from storage.sealed_files import SealedFiles
from storage.sealing import derive_key
from storage.slots import (
    authenticated,
    passphrase_slot,
    read_slots,
    recovery_slot,
    unlock,
    write_slots,
)
from storage.sources import Sources
from storage.vault_keys import VaultKeys, create_keys, load_keys
from storage.verification import VaultReport, verify
from storage.witness import Witness

DATABASE, SLOTS, WITNESS, LOCK, FILES = "vault.db", "slots.json", "witness", "lock", "files"
_ADAPTERS, _CHECKPOINTS, _SAMPLES = "adapters", "checkpoints", "samples"
_VAULT_ID_BYTES = 16
WITNESS_MISSING = "witness_missing"  # the kind of the event that records it


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningNotes:
    """What was noticed at the door and did not keep it shut."""

    witness_missing: bool  # an older copy would not have been noticed; recorded as an event
    swept_files: int  # left behind by a crash


class Vault:
    """An open vault. Use it as a context manager, or `close` it."""

    def __init__(
        self,
        folder: Path,
        database: SealedDatabase,
        lock: int,
        *,
        witness_missing: bool,
        day: Callable[[], str],
    ) -> None:
        """For `create` and `open`."""
        lookup = Lookup(database.keys.lookup)
        (folder / FILES).mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        files = {
            purpose: SealedFiles(database, lookup, folder / FILES / purpose, purpose=purpose)
            for purpose in (_ADAPTERS, _CHECKPOINTS, _SAMPLES)
        }
        self._database = database
        self._lock: int | None = lock
        self._files = files
        self.documents = Documents(database, lookup, day=day)
        self.known_files = KnownFiles(database, lookup)
        self.sources = Sources(database, lookup)
        self.shelf = AdapterShelf(database, lookup, files[_ADAPTERS])
        self.checkpoints = files[_CHECKPOINTS]
        self.samples = files[_SAMPLES]
        self.ledger = Ledger(database)
        swept = sum(some.sweep() for some in files.values())
        self.opening = OpeningNotes(witness_missing=witness_missing, swept_files=swept)

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        passphrase: str,
        argon2: Argon2Parameters = DEFAULT_ARGON2,
        observe: Observer = unobserved,
        day: Callable[[], str] = today,
    ) -> tuple[Self, str]:
        """A new vault, open, and its recovery key as it is to be printed, once.

        It is made beside `folder` and renamed, so that there is a whole vault or none. Raises
        `EmptyPassphrase`, `VaultExists` unless the folder is missing or empty, `VaultBusy` while
        another process makes one there, `StorageFull`.
        """
        secret = Passphrase(text=passphrase)
        if folder.is_symlink() or (folder.exists() and any(folder.iterdir())):
            raise VaultExists
        folder.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        draft = folder.with_name(f".{folder.name}.creating")
        draft.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        lock = _lock_or_busy(draft)
        with _released_on_failure(lock), full_disk_named():
            _empty(draft)
            recovery_key = RecoveryKey.generate()
            root = RootKey.generate(1)
            vault_id = secrets.token_bytes(_VAULT_ID_BYTES)
            keys = _furnish(draft, root, vault_id)
            slots = (
                passphrase_slot(secret, root, vault_id=vault_id, argon2=argon2),
                recovery_slot(recovery_key, root, vault_id=vault_id),
            )
            write_slots(draft / SLOTS, authenticated(vault_id, slots, {1: root}))
            sync_folder(draft)
            observe("create:before-rename")
            try:
                draft.rename(folder)
            except OSError as error:
                raise VaultExists from error
            sync_folder(folder.parent)
            vault = cls._open_with(folder, keys, lock, observe=observe, day=day)
        return vault, recovery_key.printed()

    @classmethod
    def open(
        cls,
        folder: Path,
        secret: Secret,
        *,
        observe: Observer = unobserved,
        day: Callable[[], str] = today,
    ) -> Self:
        """Raises `VaultMissing`, `VaultBusy`, `VaultTooNew`, `VaultDamaged`, `RolledBack`,
        `WrongSecret`, `NoSuchSlot`.
        """
        if not (folder / SLOTS).is_file():
            if (folder / DATABASE).exists():
                raise VaultDamaged(what="the file slots.json is missing")
            raise VaultMissing
        lock = _lock_or_busy(folder)
        with _released_on_failure(lock):
            slots = read_slots(folder / SLOTS)
            if not (folder / DATABASE).is_file():
                raise VaultDamaged(what="the file vault.db is missing")
            roots = unlock(slots, secret)
            with sqlite_errors_named(), contextlib.closing(connect(folder / DATABASE)) as database:
                check_format(database)
                keys = load_keys(database, roots, slots.vault_id)
            return cls._open_with(folder, keys, lock, observe=observe, day=day)

    @classmethod
    def _open_with(
        cls,
        folder: Path,
        keys: VaultKeys,
        lock: int,
        *,
        observe: Observer,
        day: Callable[[], str],
    ) -> Self:
        witness = Witness(folder / WITNESS, derive_key(keys.manifest, "witness"))
        with sqlite_errors_named(), contextlib.ExitStack() as stack:
            connection = connect(folder / DATABASE)
            stack.callback(connection.close)
            stack.callback(witness.close)
            database = SealedDatabase(connection, keys, witness, observe=observe)
            found, witnessed = database.manifest.generation, witness.read()
            if database.manifest_opens and witnessed is not None and found < witnessed:
                raise RolledBack(found=found, witnessed=witnessed)
            vault = cls(folder, database, lock, witness_missing=witnessed is None, day=day)
            if witnessed is None:  # recorded first, so that a crash cannot hide it
                vault.ledger.append_event(WITNESS_MISSING, {})
                witness.start_anew(database.manifest.generation)
            stack.pop_all()
        return vault

    # ----------------------------------------------------------------------- in use

    def transaction(self) -> AbstractContextManager[None]:
        """Everything that is changed inside moves together, or not at all.

        Can be nested. Enter and leave it on one thread; the others wait meanwhile.
        """
        return self._database.transaction()

    def verify(self) -> VaultReport:
        """Open everything and compare with the manifest. Reads the whole vault."""
        return verify(self._database, self.documents, self.ledger, self._files.values())

    def close(self) -> None:
        """Close the database and let the next one in. Closing twice is no mistake."""
        if self._lock is None:
            return
        self._database.close()
        os.close(self._lock)
        self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _furnish(folder: Path, root: RootKey, vault_id: bytes) -> VaultKeys:
    """Database and witness of a new vault."""
    os.close(create_private(folder / DATABASE))  # SQLite's log and index files take its mode
    with sqlite_errors_named(), contextlib.closing(connect(folder / DATABASE)) as database:
        with database.atomic():
            create_tables(database)
            keys = create_keys(database, root, vault_id)
            witness = Witness(folder / WITNESS, derive_key(keys.manifest, "witness"))
            sealed = SealedDatabase(database, keys, witness)
            sealed.first_manifest()
        witness.start_anew(sealed.manifest.generation)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return keys


def _lock_or_busy(folder: Path) -> int:
    lock = lock_exclusively(folder / LOCK)
    if lock is None:
        raise VaultBusy
    return lock


@contextlib.contextmanager
def _released_on_failure(lock: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        os.close(lock)
        raise


def _empty(folder: Path) -> None:
    """What an interrupted creation left; nobody was told a key to it."""
    for path in folder.iterdir():
        if path.name == LOCK:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
