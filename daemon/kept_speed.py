"""The last measurement of how fast this machine trains, kept beside the bases.

It holds for this machine and this version alone: another processor, other threads or a new release
measure anew. Nothing of the user is in it.
"""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer import cpu_features
from trainer.speed import Speed

NAME = ".speed.json"  # the dot keeps it out of the list of bases
MOST_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a measurement holds for."""

    version: str
    processor: str
    cores: int | None

    @classmethod
    def here(cls, version: str) -> "Conditions":
        return cls(version=version, processor=cpu_features.name(), cores=os.cpu_count())


def load(folder: Path, conditions: Conditions) -> Speed | None:
    """What was measured under these conditions; None where there is no such."""
    try:
        with (folder / NAME).open("rb") as file:
            kept: Any = json.loads(file.read(MOST_BYTES))
        if Conditions(**kept["conditions"]) != conditions:
            return None
        return Speed.from_json(kept["speed"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def keep(folder: Path, conditions: Conditions, speed: Speed) -> None:
    """For the next time; where it cannot be written, the next time measures again."""
    written = folder / f"{NAME}.new"
    text = json.dumps({"conditions": _facts(conditions), "speed": speed.to_json()})
    with contextlib.suppress(OSError):
        written.write_text(text, encoding="utf-8")
        written.replace(folder / NAME)


def _facts(conditions: Conditions) -> dict[str, Any]:
    return {
        "version": conditions.version,
        "processor": conditions.processor,
        "cores": conditions.cores,
    }
