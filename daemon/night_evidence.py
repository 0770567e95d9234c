"""What the engine measured, as the gate's type: pure. The engine's word is read, never trusted."""

import json
from typing import Any

from daemon.errors import NightError
from trainer.gate import Evidence, PairedLoss, Smoke


def evidence_from(sha256: str, body: bytes) -> Evidence:
    """From the engine's answer to `judge`, JSON, on the candidate with this digest.

    Raises:
        NightError: the answer is not of that form.
    """
    try:
        answer = json.loads(body)
        return Evidence(
            sha256=sha256,
            held_out=_paired(answer["held_out"]),
            stable=_paired(answer["stable"]),
            general_loss_base=float(answer["general_loss_base"]),
            general_loss_before=float(answer["general_loss_before"]),
            general_loss_after=float(answer["general_loss_after"]),
            canaries_planted=int(answer["canaries_planted"]),
            canaries_extracted=int(answer["canaries_extracted"]),
            smoke=Smoke(
                tokens=int(answer["smoke"]["tokens"]),
                distinct_tokens=int(answer["smoke"]["distinct_tokens"]),
                undecodable=bool(answer["smoke"]["undecodable"]),
            ),
        )
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NightError("The engine's measurements cannot be read.") from error


def _paired(rows: list[dict[str, Any]]) -> tuple[PairedLoss, ...]:
    return tuple(
        PairedLoss(before=float(r["before"]), after=float(r["after"]), tokens=int(r["tokens"]))
        for r in rows
    )
