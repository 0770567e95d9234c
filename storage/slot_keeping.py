"""The slots of an open vault: what each is worth, and adding, removing and checking them.

Every change reads slots.json again, makes sure that it was written by somebody with this vault's
root, and replaces it in one step with its MAC renewed. The event is recorded before the file is
changed, so that a crash cannot hide a slot; after one it may speak of a change that was cut off.
Knows nothing of what the root protects.
"""

import contextlib
import hmac
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from storage.durable import Observer
from storage.errors import (
    KeeperUnavailable,
    LastSlot,
    NoSlotOpens,
    SlotExists,
    VaultDamaged,
    WrongSecret,
)
from storage.keyring_keeper import KEYRING
from storage.keys import Argon2Parameters, Passphrase, RecoveryKey, RootKey, Secret
from storage.ledger import Ledger
from storage.sealed_database import SealedDatabase
from storage.slots import (
    KNOWN,
    PASSPHRASE,
    RECOVERY,
    Slot,
    SlotFile,
    authenticated,
    check_mac,
    kept_slot,
    name_of,
    only_root,
    passphrase_slot,
    read_slots,
    recovery_slot,
    sealed_to,
    unlock,
    write_slots,
)
from storage.systemd_keeper import SYSTEMD_CREDS
from storage.unattended import WRONG_KEY, Keeper, KeptKey, fetched

SLOT_ADDED = "slot_added"
SLOT_REMOVED = "slot_removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFacts:
    """One slot in words: which attacker it stops, and whether it opens with nobody there."""

    kind: str
    unattended: bool
    stops: str
    does_not_stop: str
    warning: str | None = None  # about the slots as a whole, said with each that it concerns


_WORTH = {
    PASSPHRASE: (
        "a stolen disk, another user, a copy of the folder: each guess costs the price of Argon2id",
        "who guesses a weak passphrase; programs that run as you while the vault is open; root",
    ),
    RECOVERY: (
        "a stolen disk, another user, a copy of the folder: 168 random bits are not guessed",
        "who finds the printed key; programs that run as you while the vault is open; root",
    ),
    KEYRING: (
        "a stolen disk, another user, a copy of the folder, as well as the keyring's own password "
        "does; opens by itself once you are logged in",
        "any program that runs as you while the keyring is unlocked; root",
    ),
    SYSTEMD_CREDS: (
        "a copy of the folder, another user, and a stolen disk if this machine has a TPM; opens by "
        "itself also before you log in",
        "a stolen disk without a TPM, because the host's key lies on it; any program that runs as "
        "you; root",
    ),
}
_UNKNOWN = ("this version of nightloom does not know", "this version of nightloom does not know")
ONLY_THIS_MACHINE = (
    "nothing but this machine opens the vault: if its keyring or its disk is lost, so is the "
    "vault; add a recovery key"
)


def slot_facts(kinds: Iterable[str]) -> list[SlotFacts]:
    """In the order of the file."""
    kinds = tuple(kinds)
    alone = all(kind in (KEYRING, SYSTEMD_CREDS) for kind in kinds)
    facts = []
    for kind in kinds:
        stops, does_not = _WORTH.get(kind, _UNKNOWN)
        facts.append(
            SlotFacts(
                kind=kind,
                unattended=kind in (KEYRING, SYSTEMD_CREDS),
                stops=stops,
                does_not_stop=does_not,
                warning=ONLY_THIS_MACHINE if alone else None,
            )
        )
    return facts


def unlock_unattended(file: SlotFile, keepers: Iterable[Keeper]) -> dict[int, RootKey]:
    """Every root that the first keeper opens that can. Nobody is asked.

    Raises `NoSlotOpens` with a reason of ours for each slot, `VaultDamaged`.
    """
    reasons = []
    by_kind = {slot.kind: slot for slot in file.slots}
    for keeper in keepers:
        slot = by_kind.pop(keeper.kind, None)
        if slot is None:
            continue
        try:
            return unlock(file, fetched(keeper, file.vault_id, slot.facts))
        except KeeperUnavailable as error:
            reasons.append(f"{name_of(keeper.kind)}: {error.facts['why']}")
        except WrongSecret:
            reasons.append(f"{name_of(keeper.kind)}: {WRONG_KEY}")
    for kind in KNOWN:
        if kind in by_kind:
            needs = "needs you" if kind in (PASSPHRASE, RECOVERY) else "has no keeper here"
            reasons.append(f"{name_of(kind)}: {needs}")
    raise NoSlotOpens(reasons="; ".join(reasons) or "there is none")


def kept_by(keeper: Keeper, root: RootKey, *, vault_id: bytes) -> Slot:
    """A fresh private key in the keeper's hands, and its slot. Raises `KeeperUnavailable`."""
    key = KeptKey.generate(keeper.kind)
    facts = keeper.keep(vault_id, key.raw)
    return kept_slot(key, root, vault_id=vault_id, facts=facts)


def drop(keeper: Keeper, slot: Slot, *, vault_id: bytes) -> None:
    """As far as it can be reached."""
    with contextlib.suppress(KeeperUnavailable):
        keeper.drop(vault_id, slot.facts)


@contextlib.contextmanager
def dropped_on_failure(keeper: Keeper, slot: Slot, *, vault_id: bytes) -> Iterator[None]:
    """A key whose slot did not come to be is not left with its keeper."""
    try:
        yield
    except BaseException:
        drop(keeper, slot, vault_id=vault_id)
        raise


class SlotKeeping:
    """slots.json of a vault that is open."""

    def __init__(self, path: Path, database: SealedDatabase, ledger: Ledger) -> None:
        self._path = path
        self._database = database
        self._ledger = ledger
        self._changing = threading.Lock()  # one change at a time: a keeper holds one key

    @property
    def _root(self) -> RootKey:
        return self._database.keys.root

    @property
    def _vault_id(self) -> bytes:
        return self._database.keys.vault_id

    @property
    def observe(self) -> Observer:
        return self._database.observe

    def read(self) -> SlotFile:
        """Raises `VaultDamaged` unless the file is this vault's, as its root has signed it."""
        try:
            file = read_slots(self._path)
        except FileNotFoundError:
            raise VaultDamaged(what="the file slots.json is missing") from None
        if file.vault_id != self._vault_id:
            raise VaultDamaged(what="slots.json is another vault's")
        check_mac(file, self._root)
        return file

    def write(self, slots: Iterable[Slot], roots: Iterable[RootKey]) -> None:
        """In one step, with a MAC under each of the roots. Raises `StorageFull`."""
        signed = {root.number: root for root in roots}
        write_slots(self._path, authenticated(self._vault_id, tuple(slots), signed))

    def facts(self) -> list[SlotFacts]:
        return slot_facts(slot.kind for slot in self.read().slots)

    def has(self, kind: str) -> bool:
        return any(slot.kind == kind for slot in self.read().slots)

    def confirm(self, secret: Secret) -> None:
        """Raises `WrongSecret`, `NoSuchSlot`, `VaultDamaged`."""
        root = unlock(self.read(), secret).get(self._root.number)
        if root is None or not hmac.compare_digest(root.raw, self._root.raw):
            raise VaultDamaged(what="slots.json leads to another root key")

    # ----------------------------------------------------------------------- changes

    def add_passphrase(self, passphrase: str, argon2: Argon2Parameters) -> None:
        """Raises `SlotExists`, `EmptyPassphrase`."""
        with self._changing:
            self._check_new(PASSPHRASE)
            secret = Passphrase(text=passphrase)
            slot = passphrase_slot(secret, self._root, vault_id=self._vault_id, argon2=argon2)
            self._add(slot)

    def add_recovery(self) -> str:
        """The key as it is to be printed, once. Raises `SlotExists`."""
        with self._changing:
            self._check_new(RECOVERY)
            key = RecoveryKey.generate()
            self._add(recovery_slot(key, self._root, vault_id=self._vault_id))
        return key.printed()

    def add_kept(self, keeper: Keeper) -> None:
        """Raises `SlotExists`, `KeeperUnavailable`."""
        with self._changing:
            self._check_new(keeper.kind)
            slot = kept_by(keeper, self._root, vault_id=self._vault_id)
            with dropped_on_failure(keeper, slot, vault_id=self._vault_id):
                self._add(slot)

    def remove(self, kind: str, keepers: Iterable[Keeper]) -> None:
        """What its keeper holds is dropped too if the keeper can be reached; without the slot it
        opens nothing but old copies of the folder. Raises `NoSuchSlot`, `LastSlot`.
        """
        with self._changing:
            with self._database.reading():
                file = self.read()
                gone = file.slot(kind)
                rest = [slot for slot in file.slots if slot.kind != kind]
                if not any(slot.kind in KNOWN for slot in rest):
                    raise LastSlot(slot=name_of(kind))
                self._ledger.append_event(SLOT_REMOVED, {"slot": kind})
                self.observe("slots:recorded")
                self._write_current(rest)
            for keeper in keepers:
                if keeper.kind == kind:
                    drop(keeper, gone, vault_id=self._vault_id)

    def _check_new(self, kind: str) -> None:
        if self.has(kind):
            raise SlotExists(slot=name_of(kind))

    def _add(self, slot: Slot) -> None:
        """Made without holding the database, so there may be another root by now."""
        with self._database.reading():
            file = self.read()
            self._ledger.append_event(SLOT_ADDED, {"slot": slot.kind})
            self.observe("slots:recorded")
            if self._root.number not in slot.roots:
                slot = sealed_to(slot, self._root, vault_id=self._vault_id)
            self._write_current([*file.slots, slot])

    def _write_current(self, slots: Iterable[Slot]) -> None:
        root = self._root
        self.write([only_root(slot, root.number) for slot in slots], [root])
        self.observe("slots:written")
