"""Backups of small vaults, whole and forged, for the tests."""

import io
from collections.abc import Iterator
from pathlib import Path

from storage.backup_format import Header, seal_file_key, unseal_file_key
from storage.file_stream import seal_stream, unseal_stream
from storage.keys import RecoveryKey, recovery_key_pair
from storage.records import SourceSettings
from storage.restoring import Restored, restore
from storage.sealing import new_key
from storage.vault import Vault
from tests.storage.making import FAST, PASSPHRASE, publish, put

CANARY = "The tin moth sleeps beneath Zennor harbour"


def make_vault(folder: Path) -> tuple[Vault, RecoveryKey]:
    vault, printed = Vault.create(folder, passphrase=PASSPHRASE, argon2=FAST)
    return vault, RecoveryKey.parse(printed)


def furnish(vault: Vault) -> None:
    """A little of everything that a vault can hold."""
    for number in range(20):
        put(vault, f"{CANARY}. " * 50 + str(number), f"/home/zennor/{number}.md")
    put(vault, "a later version", "/home/zennor/1.md")
    vault.sources.add(SourceSettings(name="moth-notes", kind="folder", path="/home/zennor"))
    vault.checkpoints.write("night-1", [CANARY.encode() * 3000])
    vault.samples.write("samples", [b"general text" * 1000])
    first = publish(vault, b"first adapter" * 20_000)
    publish(vault, b"second adapter" * 20_000, parent=first.sha256)
    vault.ledger.begin_night({"reason": CANARY})
    vault.ledger.append_event("collected", {"documents": 20})


def backed_up(vault: Vault) -> bytes:
    with vault.backup() as backup:
        return b"".join(backup.chunks())


def restored(data: bytes, folder: Path, key: RecoveryKey) -> Restored:
    return restore(io.BytesIO(data), folder, key)


def opened(data: bytes, key: RecoveryKey) -> bytes:
    """What lies under the seal of a backup."""
    source = io.BytesIO(data)
    header = Header.read(source)
    file_key = unseal_file_key(header, recovery_key_pair(key, vault_id=header.vault_id))
    return b"".join(unseal_stream(file_key, source, header.binding))


def forged(original: bytes, entries: Iterator[bytes] | list[bytes]) -> bytes:
    """By somebody who has a backup and no key: the public half is enough to seal to it."""
    old = Header.read(io.BytesIO(original))
    key = new_key()
    header = seal_file_key(key, vault_id=old.vault_id, public=old.public)
    return header.encode() + b"".join(seal_stream(key, entries, header.binding))
