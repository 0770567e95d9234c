"""Rotation: a new root and a new epoch with nobody present, the old ones destroyed.

First slots.json gets the new root beside the old one, sealed to the public half of every slot.
Then one transaction wraps every key anew, and with its commit the new root is the one that counts.
Then slots.json loses the old root. Killed in between, the vault opens, because slots.json leads to
both; the next opening asks the database which one counts and takes away the other. The vault keys
and the data keys themselves stay: what changes is what it takes to reach them.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage.errors import StorageFull, VaultDamaged
from storage.keys import RootKey
from storage.ledger import Ledger
from storage.sealed_database import SealedDatabase
from storage.sealing import new_key
from storage.slot_keeping import SlotKeeping
from storage.slots import KNOWN, Slot, only_root, sealed_to
from storage.vault_keys import load_keys, rewrapped, wrap_keys

ROTATED = "rotated"
Progress = Callable[[int, int], None]  # data keys done, of how many
_AT_ONCE = 4096  # data keys in memory; about 1 MB
_NEXT_ROWS = "SELECT id, epoch, wrapped FROM data_keys WHERE id > ? ORDER BY id LIMIT ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation did. A damaged data key stays as it was: it could not be opened before."""

    root: int
    epoch: int
    data_keys: int
    seconds: float
    damaged: int = 0
    dropped_slots: int = 0  # of kinds from later, without a public half that a root can go to


def rotate(
    slots: SlotKeeping,
    database: SealedDatabase,
    ledger: Ledger,
    progress: Progress | None = None,
) -> Rotated:
    """Others wait while it runs. Raises `StorageFull`, `VaultDamaged`; then nothing has changed.

    Not within a transaction: what was sealed before it in there would lose its key.
    """
    started = time.monotonic()
    with database.reading() as connection:
        if connection.conn.in_transaction:
            raise RuntimeError("a rotation is a transaction of its own")
        keys = database.keys
        root, epoch = RootKey.generate(keys.root.number + 1), max(keys.epochs) + 1
        old = [only_root(slot, keys.root.number) for slot in slots.read().slots]
        both, dropped = _sealed_to_all(old, root, vault_id=keys.vault_id)
        try:
            slots.write(both, [keys.root, root])
            database.observe("rotate:announced")
            with database.transaction():
                total = database.fetch("SELECT count(*) FROM data_keys")[0][0] + 1
                # First, so that the event's own key is among those that are wrapped anew.
                ledger.append_event(ROTATED, {"root": root.number, "epoch": epoch})
                done = _wrap_anew(database, root, epoch, total, progress or _unheard)
                database.observe("rotate:wrapped")
        finally:
            # Asked of the database: it may have kept the change though we were interrupted.
            roots = {keys.root.number: keys.root, root.number: root}
            database.keys = load_keys(connection, roots, keys.vault_id)
            with suppress(StorageFull, OSError):  # the next opening tries again
                slots.write(_with_live_root(both, database.keys.root), [database.keys.root])
        database.observe("rotate:finished")
    return Rotated(
        root=root.number,
        epoch=epoch,
        data_keys=done,
        seconds=time.monotonic() - started,
        damaged=total - done,
        dropped_slots=dropped,
    )


def settle(slots: SlotKeeping, database: SealedDatabase) -> None:
    """After opening: take away what a rotation that was cut off has left in slots.json."""
    with database.reading(), suppress(StorageFull, OSError):
        file, live = slots.read(), database.keys.root
        if any(set(slot.roots) - {live.number} for slot in file.slots) or len(file.macs) > 1:
            slots.write(_with_live_root(file.slots, live), [live])
            database.empty_log()
            database.observe("rotate:settled")


def _sealed_to_all(
    slots: Iterable[Slot], root: RootKey, *, vault_id: bytes
) -> tuple[list[Slot], int]:
    """The slots with the new root as well, and how many could not take it."""
    sealed, dropped = [], 0
    for slot in slots:
        try:
            sealed.append(sealed_to(slot, root, vault_id=vault_id))
        except ValueError:
            if slot.kind in KNOWN:
                raise VaultDamaged(what="a slot in slots.json has no public half") from None
            dropped += 1
    return sealed, dropped


def _with_live_root(slots: Iterable[Slot], live: RootKey) -> list[Slot]:
    return [only_root(slot, live.number) for slot in slots]


def _wrap_anew(
    database: SealedDatabase, root: RootKey, epoch: int, total: int, progress: Progress
) -> int:
    """All keys below the new root and epoch; how many data keys there were to wrap."""
    keys, raw = database.keys, new_key()
    wrap_keys(database.database, keys, root, epoch, raw)
    cipher, done, last, seen = AESGCM(raw), 0, 0, 0
    while rows := database.fetch(_NEXT_ROWS, [last, _AT_ONCE]):
        done += database.replace_data_keys(rewrapped(rows, keys, epoch, cipher))
        last, seen = rows[-1][0], seen + len(rows)
        progress(seen, total)
    return done


def _unheard(done: int, total: int) -> None:
    """For who does not want to know."""
