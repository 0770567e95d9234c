"""Slots that open with nobody there: a keeper holds a random private key, slots.json the public.

A keeper is part of the machine (its keyring, its service manager). What is kept is an X25519 key
made for this one slot, so a keeper never sees the root, and a new root can be sealed to the slot
while the keeper is locked. Knows nothing of how the keepers work.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from storage.errors import KeeperUnavailable
from storage.keyring_keeper import KeyringKeeper
from storage.sealing import KEY_BYTES
from storage.systemd_keeper import SystemdKeeper

WRONG_KEY = "it holds no key of this vault"


class Keeper(Protocol):
    """Where the private half of a slot is kept. None of these ever asks anybody anything."""

    @property
    def kind(self) -> str:
        """The slot's kind in slots.json."""
        ...

    def problem(self) -> str | None:
        """Why it cannot be used on this machine now, as half a sentence of ours; None if it can."""
        ...

    def keep(self, vault_id: bytes, private: bytes) -> dict[str, Any]:
        """Facts for slots.json, nothing secret in clear. Raises `KeeperUnavailable`."""
        ...

    def fetch(self, vault_id: bytes, facts: Mapping[str, Any]) -> bytes:
        """The private key again. Raises `KeeperUnavailable`."""
        ...

    def drop(self, vault_id: bytes, facts: Mapping[str, Any]) -> None:
        """Forget it. Raises `KeeperUnavailable`; that there is none is no error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """The private half of an unattended slot, as a keeper gave it out."""

    kind: str
    raw: bytes = field(repr=False)

    @classmethod
    def generate(cls, kind: str) -> "KeptKey":
        return cls(kind=kind, raw=secrets.token_bytes(KEY_BYTES))

    def key_pair(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.raw)


def fetched(keeper: Keeper, vault_id: bytes, facts: Mapping[str, Any]) -> KeptKey:
    """Raises `KeeperUnavailable`, also for bytes that cannot be a key."""
    raw = keeper.fetch(vault_id, facts)
    if len(raw) != KEY_BYTES:
        raise KeeperUnavailable(keeper=keeper.kind, why=WRONG_KEY)
    return KeptKey(kind=keeper.kind, raw=raw)


def keepers() -> tuple[Keeper, ...]:
    """In the order in which they are tried."""
    return KeyringKeeper(), SystemdKeeper()
