"""The engine's measurements become evidence, or are refused as unreadable."""

import json
from typing import Any

import pytest

from daemon.errors import NightError
from daemon.night_evidence import evidence_from
from trainer.gate import PairedLoss, Smoke

DIGEST = "ab" * 32
ANSWER: dict[str, Any] = {
    "held_out": [{"before": 30.5, "after": 20, "tokens": 12}],
    "stable": [],
    "general_loss_base": 2.0,
    "general_loss_before": 2.01,
    "general_loss_after": 2.02,
    "canaries_planted": 8,
    "canaries_extracted": 1,
    "smoke": {"tokens": 24, "distinct_tokens": 20, "undecodable": False},
}


def test_every_figure_comes_to_its_place() -> None:
    evidence = evidence_from(DIGEST, json.dumps(ANSWER).encode())

    assert evidence.sha256 == DIGEST
    assert evidence.held_out == (PairedLoss(before=30.5, after=20.0, tokens=12),)
    assert evidence.stable == ()
    assert (evidence.general_loss_base, evidence.general_loss_before) == (2.0, 2.01)
    assert evidence.general_loss_after == 2.02
    assert (evidence.canaries_planted, evidence.canaries_extracted) == (8, 1)
    assert evidence.smoke == Smoke(tokens=24, distinct_tokens=20, undecodable=False)


@pytest.mark.parametrize("missing", sorted(ANSWER))
def test_an_answer_that_lacks_a_figure_is_no_evidence(missing: str) -> None:
    answer = {name: value for name, value in ANSWER.items() if name != missing}
    with pytest.raises(NightError, match="cannot be read"):
        evidence_from(DIGEST, json.dumps(answer).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"heather honey",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        json.dumps(ANSWER | {"held_out": ["heather"]}).encode(),
        json.dumps(ANSWER | {"held_out": 7}).encode(),
        json.dumps(ANSWER | {"smoke": None}).encode(),
        json.dumps(ANSWER | {"canaries_extracted": float("inf")}).encode(),
        json.dumps(ANSWER | {"canaries_planted": float("nan")}).encode(),
        json.dumps(ANSWER | {"general_loss_after": "heather honey"}).encode(),
    ],
)
def test_what_is_no_answer_is_refused_without_its_words(body: bytes) -> None:
    with pytest.raises(NightError) as refused:
        evidence_from(DIGEST, body)
    assert "heather" not in str(refused.value)
