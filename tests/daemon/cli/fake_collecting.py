"""How far collecting is, as a test wants it."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

Json = dict[str, Any]

COUNTS: Json = {"files": 120, "stored": 100, "duplicates": 5, "skipped": 15}
STEP: Json = {
    "files": 60,
    "total_files": 120,
    "bytes": 5_000_000,
    "total_bytes": 10_000_000,
    "bytes_per_second": 2_500_000.0,
    "seconds_left": 2.0,
}
FAILED: list[Json] = [
    {"name": "letters", "failed": [{"path": "old/tax.pdf", "reason": "encrypted"}], "more": True},
    {"name": "notes", "failed": [], "more": False},
]


class FakeCollecting:
    """See `ipc.collecting_api.CollectingBackend`."""

    def __init__(self) -> None:
        self.scanned: list[str] = []
        self.counts: Json | None = COUNTS
        self.ends = True
        self.speaking = ["Ada", "Max Ohm"]
        self.source: Json = {"name": "letters", "state": "watching", "last_error": None}

    async def scan(self, name: str) -> AsyncGenerator[Json, None]:
        self.scanned.append(name)
        yield {"progress": STEP}
        if not self.ends:
            await asyncio.Event().wait()
        yield {"source": self.source, "counts": self.counts}

    async def speakers(self, path: str, me: list[str]) -> Json:
        return {"speakers": [] if set(me) & set(self.speaking) else self.speaking}

    async def failed(self) -> list[Json]:
        return FAILED
