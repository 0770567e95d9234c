"""The generation and the newest event as witnessed in the OS keyring, outside of the folder.

The file beside the database goes back with the folder when an older copy of all of it is put in
place; this record does not. It is written now and then (D-Bus is slow) and only of what is
committed, so it may lag behind the database and is never ahead of it. It carries a MAC: who can
reach the keyring can remove the record or put an older one back, and cannot make one up.
"""

import hmac
from dataclasses import dataclass, field
from enum import StrEnum

from storage.errors import KeeperUnavailable, RolledBack
from storage.keyring_keeper import KeyringStore
from storage.sealed_database import SealedDatabase
from storage.sealing import FORMAT, derive_key

WITNESS_SERVICE = "nightloom witness"
_WORDS = 5  # format, generation, event, chain, MAC


class Outside(StrEnum):
    """What the keyring said about the database when the vault was opened."""

    NOT_ASKED = "not_asked"  # no keyring slot
    SILENT = "silent"  # locked, absent, or it has no true record
    AGREES = "agrees"  # the database is what was seen, or what came of it
    OVERRULED = "overruled"  # it had seen a newer one, and a person meant the older


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A state of the database."""

    generation: int
    event: int  # number of the newest event; 0 before the first
    chain: bytes = field(repr=False)


def encode_seen(key: bytes, seen: Seen) -> str:
    body = f"{FORMAT} {seen.generation} {seen.event} {seen.chain.hex()}"
    return f"{body} {hmac.digest(key, body.encode(), 'sha256').hex()}"


def decode_seen(key: bytes, text: str) -> Seen | None:
    """None for anything that this key did not write."""
    words = text.split(" ")
    if len(words) != _WORDS:
        return None
    try:
        seen = Seen(generation=int(words[1]), event=int(words[2]), chain=bytes.fromhex(words[3]))
    except ValueError:
        return None
    genuine = hmac.compare_digest(encode_seen(key, seen).encode(), text.encode())
    return seen if genuine else None


class KeyringWitness:
    """The record of one vault; `vault_id` and key come from its database's keys."""

    def __init__(self, database: SealedDatabase) -> None:
        self._database = database
        self._key = derive_key(database.keys.manifest, "witness/keyring")
        self._store = KeyringStore()
        self._written: Seen | None = None

    def ask(self, *, older_is_meant: bool) -> Outside:
        """At the door. Raises `RolledBack` unless an older database is what a person wants."""
        seen = self.read()
        if seen is None:
            return Outside.SILENT
        if self.follows(seen):
            return Outside.AGREES
        if not older_is_meant:
            found = self._database.manifest.generation
            raise RolledBack(found=found, witnessed=seen.generation)
        return Outside.OVERRULED

    def read(self) -> Seen | None:
        """None when there is no true record, or the keyring is locked or not there."""
        try:
            text = self._store.get(WITNESS_SERVICE, self._database.keys.vault_id)
        except KeeperUnavailable:
            return None
        self._written = decode_seen(self._key, text) if text else None
        return self._written

    def write(self) -> bool:
        """What is committed now; whether the keyring holds it. Never asks, never raises."""
        with self._database.reading() as connection:
            if connection.conn.in_transaction or not self._database.manifest_opens:
                return False
            seen = self._now()
        if seen == self._written:
            return True
        try:
            text = encode_seen(self._key, seen)
            self._store.set(WITNESS_SERVICE, self._database.keys.vault_id, text)
        except KeeperUnavailable:
            return False
        self._written = seen
        return True

    def follows(self, seen: Seen) -> bool:
        """Whether the database is that state, or can have come of it."""
        if self._database.manifest.generation < seen.generation:
            return False
        if seen.event == 0:
            return True
        rows = self._database.fetch("SELECT chain FROM events WHERE id = ?", [seen.event])
        return bool(rows) and hmac.compare_digest(rows[0][0], seen.chain)

    def _now(self) -> Seen:
        rows = self._database.fetch("SELECT id, chain FROM events ORDER BY id DESC LIMIT 1")
        event, chain = rows[0] if rows else (0, b"")
        generation = self._database.manifest.generation
        return Seen(generation=generation, event=event, chain=chain)
