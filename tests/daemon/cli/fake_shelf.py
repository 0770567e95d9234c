"""A `ShelfBackend` that answers what a test tells it to."""

import base64
import hashlib
from collections.abc import AsyncGenerator
from typing import Any

from ipc.errors import OperationError
from ipc.given_secret import GivenSecret

Json = dict[str, Any]

WEIGHTS = bytes(range(256)) * 4
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()
SHOWN: Json = {
    "sha256": DIGEST,
    "parent": "0123456789abcdef" * 4,
    "base": "ab" * 32,
    "of_base_in_use": True,
    "trained_at": 1_795_000_000.0,
    "status": "available",
    "documents": 240,
    "pinned": True,
    "base_name": "builtin",
    "bytes": 12_000_000,
    "night": {
        "id": 7,
        "started_at": 1_795_000_000.0,
        "seconds": 155.0,
        "documents": 240,
        "tokens": 80_000,
        "steps": 40,
        "verdict": "passed",
        "sentence": "The loss on held-out text fell by between 13.0% and 17.0%.",
    },
    "measured": {
        "held_out_loss_before": 4.0,
        "held_out_loss_after": 3.4,
        "held_out_gain_low": 0.13,
        "held_out_gain_high": 0.17,
        "stable_loss_before": None,
        "stable_loss_after": None,
        "general_loss_base": 3.0,
        "general_loss_before": 3.0,
        "general_loss_after": 3.03,
        "canaries_planted": 8,
        "canaries_extracted": 0,
    },
    "exports": [{"at": 1_795_000_000.0, "folder": "/media/stick/adapter"}],
}
BEGIN: Json = {
    "kind": "adapter",
    "sha256": DIGEST,
    "parent": None,
    "trained_at": 1_795_000_000.0,
    "documents": 240,
    "bytes": len(WEIGHTS),
    "lora": {"rank": 16, "alpha": 16.0, "rslora": True, "dropout": 0.0},
    "target_modules": ["q_proj", "down_proj"],
    "base": "ab" * 32,
    "base_model": {
        "name": "qwen2.5-1.5b-instruct",
        "model": "Qwen2.5-1.5B-Instruct",
        "architecture": "qwen2",
        "origin": "hub:Qwen/Qwen2.5-1.5B-Instruct@0123abcd",
        "licence": "apache-2.0",
        "folder": "/home/anselm/bases/qwen2.5-1.5b-instruct",
    },
}


def export_lines(**changed: Any) -> list[Json]:
    """A whole export, with some of what it says first changed."""
    pieces = [WEIGHTS[start : start + 400] for start in range(0, len(WEIGHTS), 400)]
    return [
        {"begin": BEGIN | changed},
        *({"piece": base64.b64encode(piece).decode()} for piece in pieces),
        {"end": {"bytes": len(WEIGHTS)}},
        {"done": {"sha256": DIGEST}},
    ]


class FakeShelf:
    """Answers as given, notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Json]] = []
        self.refusal: OperationError | None = None
        self.shown = SHOWN
        self.lines = export_lines()
        self.freed_bytes = 12_000_000
        self.answering = False

    def _note(self, verb: str, **given: Any) -> None:
        self.asked.append((verb, given))
        if self.refusal is not None:
            raise self.refusal

    async def show(self, adapter: str) -> Json:
        self._note("show", adapter=adapter)
        return self.shown

    async def export(
        self, adapter: str, secret: GivenSecret, folder: str | None
    ) -> AsyncGenerator[Json, None]:
        self._note("export", adapter=adapter, secret=secret, folder=folder)
        for line in self.lines:
            yield line

    async def delete(self, adapter: str, *, pinned: bool, now: bool) -> Json:
        self._note("delete", adapter=adapter, pinned=pinned, now=now)
        return {"sha256": DIGEST, "freed_bytes": self.freed_bytes, "answering": self.answering}
