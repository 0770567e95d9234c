"""A `BackupBackend` that answers what a test tells it to."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import Any

from ipc.errors import OperationError

Json = dict[str, Any]

HOLDS: Json = {
    "generation": 41,
    "day": "2026-11-21",
    "documents": 246,
    "adapters": 3,
    "files": 5,
    "about_bytes": 3_000_000,
    "slots": ["passphrase", "recovery"],
}


class FakeBackup:
    """Answers as given, notes what it was asked."""

    def __init__(self) -> None:
        self.pieces = [b"NLBK", bytes(2_000_000), b"end"]
        self.refusal: OperationError | None = None  # at once
        self.failure: Exception | None = None  # after the pieces
        self.after_pieces: threading.Event | None = None  # set then; nothing follows
        self.given_up = threading.Event()

    async def make(self) -> AsyncGenerator[Json | bytes, None]:
        if self.refusal is not None:
            raise self.refusal
        yield HOLDS
        try:
            for piece in self.pieces:
                yield piece
            if self.after_pieces is not None:
                self.after_pieces.set()
                await asyncio.Event().wait()  # only hanging up ends this
        except (GeneratorExit, asyncio.CancelledError):
            self.given_up.set()
            raise
        if self.failure is not None:
            raise self.failure
        yield {"backup": HOLDS | {"bytes": sum(map(len, self.pieces)), "recorded": True}}
