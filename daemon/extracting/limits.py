"""How much one file may take and give."""

import math
from dataclasses import dataclass

MIB = 1 << 20
PATIENT_BYTES = 32 * MIB  # of a large container, per `seconds`


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one worker. `seconds` are of computing, and of waiting for it."""

    address_bytes: int = 1 << 30
    seconds: float = 30.0
    document_bytes: int = 64 * MIB  # of the UTF-8 of one document
    file_bytes: int = 1 << 30  # of all documents of a file together
    turns: int = 100_000  # of one document


def seconds_for(limits: Limits, size: int, *, patient: bool) -> float:
    """What a file of this size may take; a container of many documents gets more when large."""
    pieces = math.ceil(size / PATIENT_BYTES) if patient else 1
    return limits.seconds * max(1, pieces)
