"""Adapters of nobody on the shelf of a vault that is thrown away.

They go through the gate like any other, with figures that were made up for it.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from storage.records import CandidateAdapter, Passed, sha256_hex
from storage.vault import Vault
from trainer.gate import Evidence, GatePolicy, PairedLoss, Smoke, judge


def publish_all(vault: Vault, base: str, files: Sequence[Path]) -> list[str]:
    """Their digests; the last one is in use."""
    return [_publish(vault, base, path.read_bytes()) for path in files]


def _publish(vault: Vault, base: str, weights: bytes) -> str:
    digest = sha256_hex(weights)
    verdict = judge(made_up_evidence(digest), GatePolicy())
    assert isinstance(verdict, Passed)
    candidate = CandidateAdapter(
        sha256=digest, weights=weights, base=base, parent=None, seen_items=frozenset()
    )
    return vault.shelf.publish(verdict, candidate, trained_at=time.time()).sha256


def made_up_evidence(digest: str) -> Evidence:
    """What the gate lets pass."""
    return Evidence(
        sha256=digest,
        held_out=tuple(PairedLoss(before=3.0 + n / 10, after=2.5, tokens=1) for n in range(5)),
        stable=(),
        general_loss_base=2.0,
        general_loss_before=2.0,
        general_loss_after=2.0,
        canaries_planted=1,
        canaries_extracted=0,
        smoke=Smoke(tokens=10, distinct_tokens=10, undecodable=False),
    )
