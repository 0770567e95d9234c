"""Making a vault: beside its place and renamed, so that there is a whole one or none."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from storage.durable import (
    PRIVATE_FOLDER,
    Observer,
    create_private,
    full_disk_named,
    lock_exclusively,
    sync_folder,
)
from storage.errors import EmptyPassphrase, VaultBusy, VaultExists
from storage.keys import Argon2Parameters, Passphrase, RecoveryKey, RootKey
from storage.schema import connect, create_tables
from storage.sealed_database import SealedDatabase, sqlite_errors_named
from storage.sealing import derive_key
from storage.slot_keeping import dropped_on_failure, kept_by
from storage.slots import authenticated, passphrase_slot, recovery_slot, write_slots
from storage.unattended import Keeper
from storage.vault_keys import VaultKeys, create_keys
from storage.vault_layout import DATABASE, LOCK, SLOTS, WITNESS
from storage.witness import Witness

T = TypeVar("T")
_VAULT_ID_BYTES = 16


def make_vault(
    folder: Path,
    opened: Callable[[VaultKeys, int], T],
    *,
    passphrase: str | None,
    keeper: Keeper | None,
    argon2: Argon2Parameters,
    observe: Observer,
) -> tuple[T, str]:
    """What `opened` makes of the new vault's keys and lock, and the printed recovery key.

    Raises as `Vault.create` does, and then nothing is left.
    """
    if passphrase is None and keeper is None:
        raise EmptyPassphrase
    secret = None if passphrase is None else Passphrase(text=passphrase)
    if folder.is_symlink() or (folder.exists() and any(folder.iterdir())):
        raise VaultExists
    folder.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.creating")
    draft.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    lock = lock_or_busy(draft)
    places = [draft]
    with contextlib.ExitStack() as stack:
        stack.enter_context(released_on_failure(lock))
        stack.enter_context(_removed_on_failure(places))
        stack.enter_context(full_disk_named())
        _empty(draft)
        recovery_key = RecoveryKey.generate()
        root = RootKey.generate(1)
        vault_id = secrets.token_bytes(_VAULT_ID_BYTES)
        keys = _furnish(draft, root, vault_id)
        slots = [recovery_slot(recovery_key, root, vault_id=vault_id)]
        if secret is not None:
            slots.insert(0, passphrase_slot(secret, root, vault_id=vault_id, argon2=argon2))
        if keeper is not None:
            slots.append(kept_by(keeper, root, vault_id=vault_id))
            stack.enter_context(dropped_on_failure(keeper, slots[-1], vault_id=vault_id))
        write_slots(draft / SLOTS, authenticated(vault_id, tuple(slots), {1: root}))
        sync_folder(draft)
        observe("create:before-rename")
        try:
            draft.rename(folder)
        except OSError as error:
            raise VaultExists from error
        places.append(folder)
        sync_folder(folder.parent)
        vault = opened(keys, lock)
    return vault, recovery_key.printed()


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


def lock_or_busy(folder: Path) -> int:
    """A descriptor that keeps others out until it is closed. Raises `VaultBusy`."""
    lock = lock_exclusively(folder / LOCK)
    if lock is None:
        raise VaultBusy
    return lock


@contextlib.contextmanager
def released_on_failure(lock: int) -> Iterator[None]:
    """The lock is closed when what is inside fails."""
    try:
        yield
    except BaseException:
        os.close(lock)
        raise


@contextlib.contextmanager
def _removed_on_failure(places: Iterable[Path]) -> Iterator[None]:
    """Also from its own place: nobody was told the recovery key."""
    try:
        yield
    except BaseException:
        for place in places:
            shutil.rmtree(place, ignore_errors=True)
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
