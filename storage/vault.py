"""The vault: a folder with a slot file, a sealed database, sealed files, a witness and a lock.

This is the door: it creates, opens, checks and closes, and hands out the rooms (`documents`,
`sources`, `shelf`, `ledger`, `checkpoints`, `samples`). It may be used from any thread, one at a
time. Knows nothing of models, sockets or files being watched.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from storage.adapter_quota import AdapterQuota
from storage.adapter_shelf import AdapterShelf
from storage.backup import Backup
from storage.documents import Documents, today
from storage.durable import PRIVATE_FOLDER, Observer, drop_unfinished, unobserved
from storage.errors import RolledBack, StorageError, VaultDamaged, VaultMissing
from storage.forgetting import Forgetting
from storage.keyring_keeper import KEYRING
from storage.keyring_witness import KeyringWitness, Outside
from storage.keys import DEFAULT_ARGON2, Argon2Parameters, RootKey, Secret
from storage.known_files import KnownFiles
from storage.ledger import Ledger
from storage.letting_go import LettingGo
from storage.locked_memory import lock_keys
from storage.lookup import Lookup
from storage.moving import Moving
from storage.rotation import Progress, Rotated, rotate, settle
from storage.schema import check_format, connect
from storage.sealed_database import SealedDatabase, sqlite_errors_named
from storage.sealed_files import SealedFiles
from storage.sealing import derive_key
from storage.settings import KeptSettings
from storage.slot_keeping import SlotFacts, SlotKeeping, unlock_unattended
from storage.slots import SlotFile, read_slots, unlock
from storage.snapshot import Snapshot
from storage.sources import Sources
from storage.unattended import Keeper
from storage.unattended import keepers as all_keepers
from storage.vault_keys import VaultKeys, load_keys
from storage.vault_layout import DATABASE, FILES, SLOTS, WITNESS
from storage.vault_making import lock_or_busy, make_vault, released_on_failure
from storage.verification import VaultReport, verify
from storage.witness import Witness

_ADAPTERS, _CHECKPOINTS, _SAMPLES = "adapters", "checkpoints", "samples"
WITNESS_MISSING = "witness_missing"  # the kind of the event that records it


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningNotes:
    """What was noticed at the door and did not keep it shut."""

    witness_missing: bool  # an older copy would not have been noticed; recorded as an event
    outside: Outside  # what the keyring had seen
    swept_files: int = 0  # left behind by a crash


class Vault:
    """An open vault. Use it as a context manager, or `close` it."""

    def __init__(
        self,
        folder: Path,
        database: SealedDatabase,
        lock: int,
        keyring_witness: KeyringWitness,
        *,
        notes: OpeningNotes,
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
        self._folder = folder
        self._day = day
        self._lock: int | None = lock
        self._files = files
        self.documents = Documents(database, lookup, day=day)
        self.known_files = KnownFiles(database, lookup)
        self.sources = Sources(database, lookup)
        self.settings = KeptSettings(database, lookup)
        self.letting_go = LettingGo(database, lookup)
        self.moving = Moving(database, lookup)
        self.shelf = AdapterShelf(database, lookup, files[_ADAPTERS])
        self.adapter_quota = AdapterQuota(database, self.shelf, files[_ADAPTERS])
        self.checkpoints = files[_CHECKPOINTS]
        self.samples = files[_SAMPLES]
        self.ledger = Ledger(database)
        self._slots = SlotKeeping(folder / SLOTS, database, self.ledger)
        self.forgetting = Forgetting(
            database,
            lookup,
            documents=self.documents,
            known_files=self.known_files,
            shelf=self.shelf,
            checkpoints=self.checkpoints,
            ledger=self.ledger,
            day=day,
        )
        swept = sum(some.sweep() for some in files.values())
        self.opening = dataclasses.replace(notes, swept_files=swept)
        self._keyring_witness = keyring_witness
        self.memory = lock_keys(database.keys.long_lived)

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        passphrase: str | None,
        keeper: Keeper | None = None,
        argon2: Argon2Parameters = DEFAULT_ARGON2,
        observe: Observer = unobserved,
        day: Callable[[], str] = today,
    ) -> tuple[Self, str]:
        """A new vault, open, and its recovery key as it is to be printed, once.

        It opens by the recovery key and by a passphrase, a keeper or both. It is made beside
        `folder` and renamed, so that there is a whole vault or none. Raises `EmptyPassphrase`,
        `KeeperUnavailable`, `VaultExists` unless the folder is missing or empty, `VaultBusy` while
        another process makes one there, `StorageFull`.
        """
        return make_vault(
            folder,
            lambda keys, lock: cls._open_with(folder, keys, lock, observe=observe, day=day),
            passphrase=passphrase,
            keeper=keeper,
            argon2=argon2,
            observe=observe,
        )

    @classmethod
    def open(
        cls,
        folder: Path,
        secret: Secret,
        *,
        older_is_meant: bool = False,
        observe: Observer = unobserved,
        day: Callable[[], str] = today,
    ) -> Self:
        """`older_is_meant` is the word of who restores: what the keyring has seen may be newer.

        Raises `VaultMissing`, `VaultBusy`, `VaultTooNew`, `VaultDamaged`, `RolledBack`,
        `WrongSecret`, `NoSuchSlot`.
        """
        return cls._open_by(
            folder,
            lambda file: unlock(file, secret),
            attended=True,
            older_is_meant=older_is_meant,
            observe=observe,
            day=day,
        )

    @classmethod
    def open_unattended(
        cls,
        folder: Path,
        keepers: Iterable[Keeper] | None = None,
        *,
        observe: Observer = unobserved,
        day: Callable[[], str] = today,
    ) -> Self:
        """By the first slot that opens with nobody there. Raises as `open` does, and
        `NoSlotOpens`.
        """
        some = all_keepers() if keepers is None else keepers
        return cls._open_by(
            folder,
            lambda file: unlock_unattended(file, some),
            attended=False,
            older_is_meant=False,
            observe=observe,
            day=day,
        )

    @classmethod
    def _open_by(
        cls,
        folder: Path,
        unlocking: Callable[[SlotFile], Mapping[int, RootKey]],
        *,
        attended: bool,
        older_is_meant: bool,
        observe: Observer,
        day: Callable[[], str],
    ) -> Self:
        if not (folder / SLOTS).is_file():
            if (folder / DATABASE).exists():
                raise VaultDamaged(what="the file slots.json is missing")
            raise VaultMissing
        lock = lock_or_busy(folder)
        with released_on_failure(lock):
            drop_unfinished(folder / SLOTS)
            slots = read_slots(folder / SLOTS)
            if not (folder / DATABASE).is_file():
                raise VaultDamaged(what="the file vault.db is missing")
            roots = unlocking(slots)
            with sqlite_errors_named(), contextlib.closing(connect(folder / DATABASE)) as database:
                check_format(database)
                keys = load_keys(database, roots, slots.vault_id)
            return cls._open_with(
                folder,
                keys,
                lock,
                ask_keyring=any(slot.kind == KEYRING for slot in slots.slots),
                attended=attended,
                older_is_meant=older_is_meant,
                observe=observe,
                day=day,
            )

    @classmethod
    def _open_with(
        cls,
        folder: Path,
        keys: VaultKeys,
        lock: int,
        *,
        ask_keyring: bool = False,
        attended: bool = True,
        older_is_meant: bool = False,
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
            outside = Outside.NOT_ASKED
            keyring_witness = KeyringWitness(database)
            if ask_keyring and database.manifest_opens:
                # A missing witness is a person's word for an older copy, and no word of a night.
                meant = older_is_meant or (attended and witnessed is None)
                outside = keyring_witness.ask(older_is_meant=meant)
            notes = OpeningNotes(witness_missing=witnessed is None, outside=outside)
            vault = cls(folder, database, lock, keyring_witness, notes=notes, day=day)
            if witnessed is None:  # recorded first, so that a crash cannot hide it
                vault.ledger.append_event(WITNESS_MISSING, {})
                witness.start_anew(database.manifest.generation)
                if outside is Outside.OVERRULED:
                    keyring_witness.write()
            settle(vault._slots, database)
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

    def database_bytes(self) -> int:
        """What texts and records take on the disk; room that deletions left is not counted."""
        with self._database.reading() as database:
            used, free, page = (
                database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((used - free) * page)

    def backup(self) -> Backup:
        """One state of the vault as a sealed stream, made while the vault is in use.

        Needs no secret. Close it when it was taken. Raises `BackupNeedsRecoveryKey`.
        """
        with self._database.reading():  # slots and rows of one moment
            slots = read_slots(self._folder / SLOTS)
            path, files = self._folder / DATABASE, self._folder / FILES
            snapshot = Snapshot(self._database, path, files)
        try:
            return Backup(snapshot, slots, self._database.keys.root, day=self._day())
        except BaseException:
            snapshot.close()
            raise

    # ----------------------------------------------------------------------- slots

    def slots(self) -> list[SlotFacts]:
        """What opens this vault, and what each way is worth. Raises `VaultDamaged`."""
        return self._slots.facts()

    def confirm(self, secret: Secret) -> None:
        """Ask again while the vault is open. Raises `WrongSecret`, `NoSuchSlot`."""
        self._slots.confirm(secret)

    def add_passphrase_slot(
        self, passphrase: str, *, argon2: Argon2Parameters = DEFAULT_ARGON2
    ) -> None:
        """Raises `SlotExists`, `EmptyPassphrase`."""
        self._slots.add_passphrase(passphrase, argon2)

    def add_recovery_slot(self) -> str:
        """The recovery key as it is to be printed, once. Raises `SlotExists`."""
        return self._slots.add_recovery()

    def add_kept_slot(self, keeper: Keeper) -> None:
        """Raises `SlotExists`, `KeeperUnavailable`."""
        self._slots.add_kept(keeper)
        self.witness_now()  # the keyring may know a later state that was put back on purpose

    def remove_slot(self, kind: str, keepers: Iterable[Keeper] | None = None) -> None:
        """Old copies of the folder still open by it; `rotate` shuts it out of what comes.

        Raises `NoSuchSlot`, `LastSlot`.
        """
        self._slots.remove(kind, all_keepers() if keepers is None else keepers)

    def rotate(self, progress: Progress | None = None) -> Rotated:
        """A new root and a new epoch, with nobody present; the old ones are destroyed.

        Raises `StorageFull` and `VaultDamaged`, and then nothing has changed. Not within a
        transaction.
        """
        rotated = rotate(self._slots, self._database, self.ledger, progress)
        self.memory = lock_keys(self._database.keys.long_lived)
        self.witness_now()
        return rotated

    def witness_now(self) -> bool:
        """Let the OS keyring know how far the vault has come, where it has a keyring slot.

        For moments that matter; closing does it too. Whether the keyring holds it now: one that is
        locked or gone is no error, and is never made to ask.
        """
        try:
            return self._slots.has(KEYRING) and self._keyring_witness.write()
        except (StorageError, OSError):  # slots.json, changed by somebody meanwhile
            return False

    def close(self) -> None:
        """Close the database and let the next one in. Closing twice is no mistake."""
        self._close(witness=True)

    def _close(self, *, witness: bool) -> None:
        if self._lock is None:
            return
        if witness:
            self.witness_now()
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
        self._close(witness=error is None)
