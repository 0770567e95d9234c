"""The keys inside the vault: vault keys and epochs wrapped by the root, data keys by an epoch.

All are random; none can be derived again once its wrapped form is destroyed. Knows the three key
tables and nothing of what the data keys seal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlite_utils import Database

from storage.errors import SealBroken, VaultDamaged
from storage.keys import RootKey
from storage.sealing import derive_key, key_binding, new_key, seal, unseal

# These survive a rotation of root and epochs: hashes and tombstones stay true.
_LOOKUP, _MANIFEST, _AUDIT = "lookup", "manifest", "audit"
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

    def new_data_key(self, key_id: int) -> DataKey:
        """Wrapped by the newest epoch."""
        epoch = max(self.epochs)
        raw = new_key()
        wrapped = seal(self.epochs[epoch], raw, _data_key_binding(key_id, epoch))
        return DataKey(key_id=key_id, epoch=epoch, raw=raw, wrapped=wrapped)

    def open_data_key(self, key_id: int, epoch: int, wrapped: bytes) -> bytes:
        """Raises `SealBroken`."""
        if epoch not in self.epochs:
            raise SealBroken
        return unseal(self.epochs[epoch], wrapped, _data_key_binding(key_id, epoch))


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


def _data_key_binding(key_id: int, epoch: int) -> bytes:
    return key_binding("data_keys", key_id, f"epoch {epoch}")


def _vault_key_binding(name: str, root: RootKey, vault_id: bytes) -> bytes:
    return key_binding("vault_keys", name, f"{root.label}|{vault_id.hex()}")


def _epoch_binding(epoch: int, root: RootKey, vault_id: bytes) -> bytes:
    return key_binding("epochs", epoch, f"{root.label}|{vault_id.hex()}")
