"""The keys inside the vault: vault keys and epochs wrapped by the root, data keys by an epoch.

All are random; none can be derived again once its wrapped form is destroyed. Knows the three key
tables and nothing of what the data keys seal.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage.errors import SealBroken, VaultDamaged
from storage.keys import RootKey
from storage.sealing import (
    FORMAT,
    KEY_BYTES,
    NONCE_BYTES,
    derive_key,
    key_binding,
    new_key,
    seal,
    seal_each,
    unseal,
)
from storage.sqlite import Database

# These survive a rotation of root and epochs: hashes and tombstones stay true.
_LOOKUP, _MANIFEST, _AUDIT = "lookup", "manifest", "audit"
KeyRow = tuple[int, int, bytes]  # id, epoch, wrapped
_VAULT_KEYS = {_LOOKUP: 1, _MANIFEST: 2, _AUDIT: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKey:
    """A fresh key for one sealed cell or file, and its row in `data_keys`."""

    key_id: int
    epoch: int
    raw: bytes = field(repr=False)
    wrapped: bytes = field(repr=False)

    @property
    def row(self) -> tuple[int, int, bytes]:
        return self.key_id, self.epoch, self.wrapped


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultKeys:
    """Everything below the root, opened."""

    vault_id: bytes
    root: RootKey
    lookup: bytes = field(repr=False)
    manifest: bytes = field(repr=False)
    audit: bytes = field(repr=False)
    epochs: Mapping[int, AESGCM] = field(repr=False)

    @property
    def long_lived(self) -> tuple[bytes, ...]:
        """Those that are in memory as long as the vault is open."""
        return self.root.raw, self.lookup, self.manifest, self.audit

    def new_data_key(self, key_id: int) -> DataKey:
        """Wrapped by the newest epoch."""
        epoch = max(self.epochs)
        raw = new_key()
        wrapped = seal(self.epochs[epoch], raw, _data_key_binding(key_id, epoch))
        return DataKey(key_id=key_id, epoch=epoch, raw=raw, wrapped=wrapped)

    def new_data_keys(self, first_id: int, count: int) -> tuple[list[bytes], list[KeyRow]]:
        """`count` keys and their rows in `data_keys`, numbered from `first_id`.

        Their random bytes come from the system in two calls, not in two for each.
        """
        epoch = max(self.epochs)
        random = secrets.token_bytes(KEY_BYTES * count)
        raws = [random[start : start + KEY_BYTES] for start in range(0, len(random), KEY_BYTES)]
        ids = range(first_id, first_id + count)
        bindings = [_data_key_binding(key_id, epoch) for key_id in ids]
        sealed = seal_each(count, repeat(self.epochs[epoch]), raws, bindings)
        return raws, [(key_id, epoch, wrapped) for key_id, wrapped in zip(ids, sealed, strict=True)]

    def open_data_key(self, key_id: int, epoch: int, wrapped: bytes) -> bytes:
        """Raises `SealBroken`."""
        wrapper = self.epochs.get(epoch)
        if wrapper is None:
            raise SealBroken
        return unseal(wrapper, wrapped, _data_key_binding(key_id, epoch))


def create_keys(database: Database, root: RootKey, vault_id: bytes) -> VaultKeys:
    """Fresh vault keys and the first epoch, wrapped by `root`."""
    wrapping = derive_key(root.raw, "wrap-keys")
    vault_keys = {name: new_key() for name in _VAULT_KEYS}
    database.table("vault_keys").insert_all(
        {
            "id": number,
            "name": name,
            "root": root.number,
            "wrapped": seal(wrapping, vault_keys[name], _vault_key_binding(name, root, vault_id)),
        }
        for name, number in _VAULT_KEYS.items()
    )
    epoch = new_key()
    wrapped = seal(wrapping, epoch, _epoch_binding(1, root, vault_id))
    database.table("epochs").insert({"id": 1, "root": root.number, "wrapped": wrapped})
    return VaultKeys(
        vault_id=vault_id,
        root=root,
        lookup=vault_keys[_LOOKUP],
        manifest=vault_keys[_MANIFEST],
        audit=vault_keys[_AUDIT],
        epochs={1: AESGCM(epoch)},
    )


def load_keys(database: Database, roots: Mapping[int, RootKey], vault_id: bytes) -> VaultKeys:
    """Raises `VaultDamaged` when a key is missing or does not open under these roots."""
    vault_keys: dict[str, bytes] = {}
    epochs: dict[int, AESGCM] = {}
    root = roots[max(roots)]
    try:
        for row in list(database.table("vault_keys").rows):
            root = roots[row["root"]]
            binding = _vault_key_binding(row["name"], root, vault_id)
            vault_keys[row["name"]] = unseal(
                derive_key(root.raw, "wrap-keys"), row["wrapped"], binding
            )
        for row in list(database.table("epochs").rows):
            root = roots[row["root"]]
            binding = _epoch_binding(row["id"], root, vault_id)
            wrapping = derive_key(root.raw, "wrap-keys")
            epochs[row["id"]] = AESGCM(unseal(wrapping, row["wrapped"], binding))
    except (SealBroken, KeyError) as error:
        raise VaultDamaged(what="a key in vault.db does not belong to slots.json") from error
    if set(_VAULT_KEYS) - set(vault_keys) or not epochs:
        raise VaultDamaged(what="keys are missing in vault.db")
    return VaultKeys(
        vault_id=vault_id,
        root=root,
        lookup=vault_keys[_LOOKUP],
        manifest=vault_keys[_MANIFEST],
        audit=vault_keys[_AUDIT],
        epochs=epochs,
    )


def wrap_keys(database: Database, keys: VaultKeys, root: RootKey, epoch: int, raw: bytes) -> None:
    """Within a transaction: the vault keys under another root, and one epoch in place of all."""
    wrapping = derive_key(root.raw, "wrap-keys")
    vault_keys = {_LOOKUP: keys.lookup, _MANIFEST: keys.manifest, _AUDIT: keys.audit}
    for name, number in _VAULT_KEYS.items():
        binding = _vault_key_binding(name, root, keys.vault_id)
        wrapped = seal(wrapping, vault_keys[name], binding)
        database.table("vault_keys").update(number, {"root": root.number, "wrapped": wrapped})
    wrapped = seal(wrapping, raw, _epoch_binding(epoch, root, keys.vault_id))
    database.execute("DELETE FROM epochs")
    database.table("epochs").insert({"id": epoch, "root": root.number, "wrapped": wrapped})


def rewrapped(
    rows: Sequence[tuple[int, int, bytes]], keys: VaultKeys, epoch: int, cipher: AESGCM
) -> Iterator[tuple[int, bytes, int]]:
    """(epoch, wrapped, id) for each (id, epoch, wrapped) that opens.

    Says the same as `open_data_key` and `seal`, in one loop for a hundred thousand keys.
    """
    nonces = secrets.token_bytes(NONCE_BYTES * len(rows))
    head, by = b"nightloom/%d|data_keys|" % FORMAT, b"|epoch %d" % epoch
    opening = {number: (old.decrypt, b"|epoch %d" % number) for number, old in keys.epochs.items()}
    place = 0
    for key_id, old_epoch, wrapped in rows:
        nonce = nonces[place : place + NONCE_BYTES]
        place += NONCE_BYTES
        name = head + b"%d" % key_id
        try:
            decrypt, old_by = opening[old_epoch]
            if wrapped[0] != FORMAT:
                continue
            raw = decrypt(wrapped[1 : 1 + NONCE_BYTES], wrapped[1 + NONCE_BYTES :], name + old_by)
        except (InvalidTag, ValueError, LookupError):
            continue  # damaged: it stays as it is, and `verify` goes on naming its row
        sealed = cipher.encrypt(nonce, raw, name + by)
        yield epoch, b"%c%b%b" % (FORMAT, nonce, sealed), key_id


def _data_key_binding(key_id: int, epoch: int) -> bytes:
    """As `key_binding`, in a third of its time."""
    return b"nightloom/%d|data_keys|%d|epoch %d" % (FORMAT, key_id, epoch)


def _vault_key_binding(name: str, root: RootKey, vault_id: bytes) -> bytes:
    return key_binding("vault_keys", name, f"{root.label}|{vault_id.hex()}")


def _epoch_binding(epoch: int, root: RootKey, vault_id: bytes) -> bytes:
    return key_binding("epochs", epoch, f"{root.label}|{vault_id.hex()}")
