"""Documents, candidates and verdicts for the tests of the vault."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from storage.document_rows import DocumentHead, PutResult
from storage.keys import Argon2Parameters, Passphrase
from storage.records import (
    CandidateAdapter,
    Measured,
    Passed,
    PublishedAdapter,
    RedactedDocument,
    sha256_hex,
)
from storage.vault import Vault

FAST = Argon2Parameters(time_cost=1, memory_kib=64, lanes=1)
PASSPHRASE = "seven grey herons"

MEASURED = Measured(
    held_out_loss_before=3.0,
    held_out_loss_after=2.5,
    held_out_gain_low=0.1,
    held_out_gain_high=0.2,
    stable_loss_before=None,
    stable_loss_after=None,
    general_loss_base=2.0,
    general_loss_before=2.0,
    general_loss_after=2.01,
    canaries_planted=8,
    canaries_extracted=0,
)


def reopen(folder: Path) -> Vault:
    return Vault.open(folder, Passphrase(text=PASSPHRASE))


def written(text: str, path: str = "/home/ada/diary.md", source: str = "notes") -> RedactedDocument:
    return RedactedDocument(
        source=source, path=path, modified_at=1_700_000_000.5, text=text, rules_version=1
    )


def put(vault: Vault, text: str, path: str = "/home/ada/diary.md") -> PutResult:
    return vault.documents.put_many([written(text, path)])[0]


def lasting_heads(vault: Vault) -> list[DocumentHead]:
    """What a document keeps when it is sealed anew: all but the number of its data key."""
    return [replace(head, key_id=0) for head in vault.documents.heads()]


def candidate(weights: bytes, parent: str | None = None, base: str = "base-1") -> CandidateAdapter:
    return CandidateAdapter(
        sha256=sha256_hex(weights),
        weights=weights,
        base=base,
        parent=parent,
        seen_items=frozenset({1, 2}),
    )


def passed(one: CandidateAdapter) -> Passed:
    return Passed(sha256=one.sha256, measured=MEASURED)


def publish(
    vault: Vault, weights: bytes, parent: str | None = None, base: str = "base-1"
) -> PublishedAdapter:
    one = candidate(weights, parent, base)
    return vault.shelf.publish(passed(one), one, trained_at=1_700_000_000.0)


@contextmanager
def tampering(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database of a closed vault, in the hands of somebody without a key."""
    with closing(sqlite3.connect(folder / "vault.db")) as connection, connection:
        yield connection


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)
