"""The slot file: who can open the root key. Only public halves and sealed roots stand in it.

It can hold several numbered roots at a time, so that a rotation can go from one to the next and
be killed anywhere. A checksum tells damage from a wrong secret before anything is asked; a MAC
under each root shows, once the vault is open, that nobody slipped in a slot of their own.
"""

import dataclasses
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from storage.durable import replace_file
from storage.errors import NoSuchSlot, SealBroken, VaultDamaged, VaultTooNew, WrongSecret
from storage.keyring_keeper import KEYRING
from storage.keys import (
    SALT_BYTES,
    Argon2Parameters,
    Passphrase,
    RecoveryKey,
    RootKey,
    Secret,
    passphrase_key_pair,
    recovery_key_pair,
    seal_root,
    unseal_root,
)
from storage.sealing import FORMAT, derive_key
from storage.systemd_keeper import SYSTEMD_CREDS
from storage.unattended import KeptKey

PASSPHRASE = "passphrase"  # noqa: S105 - the name of a kind of slot
RECOVERY = "recovery"
_LARGEST_FILE = 256 * 1024
_NAMES = {PASSPHRASE: "passphrase", RECOVERY: "recovery key"}
KNOWN = (PASSPHRASE, RECOVERY, KEYRING, SYSTEMD_CREDS)  # at most one slot of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One way to the root. Kinds that this version does not know are kept as they are."""

    kind: str
    public: bytes
    roots: Mapping[int, bytes]  # by root number, sealed to `public`
    facts: Mapping[str, Any]  # what this kind needs to derive its key pair

    def to_json(self) -> dict[str, Any]:
        roots = {str(number): sealed.hex() for number, sealed in self.roots.items()}
        return {"kind": self.kind, "public": self.public.hex(), "roots": roots} | dict(self.facts)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Slot":
        return cls(
            kind=str(value["kind"]),
            public=bytes.fromhex(value["public"]),
            roots={int(n): bytes.fromhex(sealed) for n, sealed in value["roots"].items()},
            facts={k: v for k, v in value.items() if k not in ("kind", "public", "roots")},
        )


def name_of(kind: str) -> str:
    """In the user's words; a kind that this version does not know is called by its kind."""
    return _NAMES.get(kind, kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFile:
    vault_id: bytes
    slots: tuple[Slot, ...]
    macs: Mapping[int, bytes]  # by root number

    def slot(self, kind: str) -> Slot:
        """Raises `NoSuchSlot`."""
        for slot in self.slots:
            if slot.kind == kind:
                return slot
        raise NoSuchSlot(slot=name_of(kind))


# --------------------------------------------------------------------------- making slots


def passphrase_slot(
    passphrase: Passphrase,
    root: RootKey,
    *,
    vault_id: bytes,
    argon2: Argon2Parameters,
    salt: bytes | None = None,
) -> Slot:
    salt = salt or secrets.token_bytes(SALT_BYTES)
    private = passphrase_key_pair(passphrase, salt=salt, vault_id=vault_id, parameters=argon2)
    cost = {
        "time_cost": argon2.time_cost,
        "memory_kib": argon2.memory_kib,
        "lanes": argon2.lanes,
        "salt": salt.hex(),
    }
    return _slot(PASSPHRASE, private, root, vault_id=vault_id, facts={"argon2id": cost})


def recovery_slot(key: RecoveryKey, root: RootKey, *, vault_id: bytes) -> Slot:
    private = recovery_key_pair(key, vault_id=vault_id)
    return _slot(RECOVERY, private, root, vault_id=vault_id, facts={})


def kept_slot(key: KeptKey, root: RootKey, *, vault_id: bytes, facts: Mapping[str, Any]) -> Slot:
    """`facts` are what its keeper wants to see again."""
    return _slot(key.kind, key.key_pair(), root, vault_id=vault_id, facts=facts)


def sealed_to(slot: Slot, root: RootKey, *, vault_id: bytes) -> Slot:
    """The slot with this root as well, made with its public half alone.

    Raises `ValueError` where the public half is none.
    """
    sealed = seal_root(root, public=slot.public, kind=slot.kind, vault_id=vault_id)
    return dataclasses.replace(slot, roots={**slot.roots, root.number: sealed})


def only_root(slot: Slot, number: int) -> Slot:
    """The slot without any other root; one of a kind from later may be left with none."""
    return dataclasses.replace(
        slot, roots={n: sealed for n, sealed in slot.roots.items() if n == number}
    )


def _slot(
    kind: str,
    private: X25519PrivateKey,
    root: RootKey,
    *,
    vault_id: bytes,
    facts: Mapping[str, Any],
) -> Slot:
    public = private.public_key().public_bytes_raw()
    sealed = seal_root(root, public=public, kind=kind, vault_id=vault_id)
    return Slot(kind=kind, public=public, roots={root.number: sealed}, facts=facts)


# --------------------------------------------------------------------------- unlocking


def unlock(file: SlotFile, secret: Secret | KeptKey) -> dict[int, RootKey]:
    """Every root that the secret opens, by number.

    Raises `WrongSecret`, `NoSuchSlot`, or `VaultDamaged` when the secret is right and the sealed
    root or the slot file's MAC is not.
    """
    kind = _kind_of(secret)
    slot = file.slot(kind)
    private = _key_pair(slot, secret, vault_id=file.vault_id)
    if not hmac.compare_digest(private.public_key().public_bytes_raw(), slot.public):
        raise WrongSecret(slot=name_of(kind))
    try:
        roots = {
            number: unseal_root(number, sealed, private=private, kind=kind, vault_id=file.vault_id)
            for number, sealed in slot.roots.items()
        }
    except SealBroken as error:
        raise VaultDamaged(what="the root key in slots.json does not open") from error
    for root in roots.values():
        check_mac(file, root)
    if not roots:
        raise VaultDamaged(what="slots.json holds no root key")
    return roots


def check_mac(file: SlotFile, root: RootKey) -> None:
    """Raises `VaultDamaged` unless somebody who had this root wrote the file."""
    expected = _mac(root, file.vault_id, file.slots)
    if not hmac.compare_digest(file.macs.get(root.number, b""), expected):
        raise VaultDamaged(what="slots.json was changed by somebody without the root key")


def _kind_of(secret: Secret | KeptKey) -> str:
    if isinstance(secret, KeptKey):
        return secret.kind
    return PASSPHRASE if isinstance(secret, Passphrase) else RECOVERY


def _key_pair(slot: Slot, secret: Secret | KeptKey, *, vault_id: bytes) -> X25519PrivateKey:
    if isinstance(secret, KeptKey):
        return secret.key_pair()
    if isinstance(secret, RecoveryKey):
        return recovery_key_pair(secret, vault_id=vault_id)
    try:
        cost = slot.facts["argon2id"]
        salt = bytes.fromhex(cost["salt"])
        parameters = Argon2Parameters(
            time_cost=int(cost["time_cost"]),
            memory_kib=int(cost["memory_kib"]),
            lanes=int(cost["lanes"]),
        )
        if len(salt) != SALT_BYTES:
            raise ValueError
    except (KeyError, TypeError, ValueError) as error:
        raise VaultDamaged(what="the passphrase slot in slots.json is not complete") from error
    return passphrase_key_pair(secret, salt=salt, vault_id=vault_id, parameters=parameters)


# --------------------------------------------------------------------------- the file


def authenticated(
    vault_id: bytes, slots: tuple[Slot, ...], roots: Mapping[int, RootKey]
) -> SlotFile:
    """A slot file with its MAC under each of the roots."""
    macs = {number: _mac(root, vault_id, slots) for number, root in roots.items()}
    return SlotFile(vault_id=vault_id, slots=slots, macs=macs)


def write_slots(path: Path, file: SlotFile) -> None:
    replace_file(path, encode_slots(file))


def encode_slots(file: SlotFile) -> bytes:
    body = _body(file.vault_id, file.slots)
    body["macs"] = {str(number): mac.hex() for number, mac in file.macs.items()}
    body["sha256"] = hashlib.sha256(_canonical(body)).hexdigest()
    return json.dumps(body, indent=2, sort_keys=True).encode() + b"\n"


def read_slots(path: Path) -> SlotFile:
    with path.open("rb") as file:
        return decode_slots(file.read(_LARGEST_FILE + 1))


def decode_slots(data: bytes) -> SlotFile:
    """Raises `VaultTooNew` before it looks at anything else, and `VaultDamaged`."""
    damaged = VaultDamaged(what="slots.json cannot be read")
    try:
        value = json.loads(data) if len(data) <= _LARGEST_FILE else None
    except (ValueError, RecursionError):
        raise damaged from None
    if not isinstance(value, dict) or type(value.get("format")) is not int:
        raise damaged
    if value["format"] > FORMAT:
        raise VaultTooNew(found=value["format"], known=FORMAT)
    checksum = value.pop("sha256", None)
    if checksum != hashlib.sha256(_canonical(value)).hexdigest():
        raise VaultDamaged(what="the checksum of slots.json does not match")
    try:
        file = SlotFile(
            vault_id=bytes.fromhex(value["vault"]),
            slots=tuple(Slot.from_json(slot) for slot in value["slots"]),
            macs={int(number): bytes.fromhex(mac) for number, mac in value["macs"].items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise damaged from None
    kinds = [slot.kind for slot in file.slots]
    if any(kinds.count(kind) > 1 for kind in KNOWN):
        raise VaultDamaged(what="slots.json holds two slots of one kind")
    return file


def _body(vault_id: bytes, slots: tuple[Slot, ...]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "vault": vault_id.hex(),
        "slots": [slot.to_json() for slot in slots],
    }


def _canonical(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def _mac(root: RootKey, vault_id: bytes, slots: tuple[Slot, ...]) -> bytes:
    return hmac.digest(
        derive_key(root.raw, "slots-mac"), _canonical(_body(vault_id, slots)), "sha256"
    )
