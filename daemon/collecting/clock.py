"""The time of day and waiting, behind two methods that tests fill with their own."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the collector knows of time."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
