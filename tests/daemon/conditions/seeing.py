"""What the tests of presence share: a clock that is set, a bus that runs, a ring that is waited
for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from daemon.conditions.bus import Bus
from daemon.conditions.presence_looking import Presence
from daemon.conditions.reading import Reading

NOW = 1_800_000_000.0
MINUTE = 60.0


class SetClock:
    """The time of day, as it is set."""

    def __init__(self, now: float = NOW) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here sleeps")


class Bell:
    """Rung by what happened; waited for by the test."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def rung(self) -> None:
        await self._rung.wait()
        self._rung.clear()


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Bus]:
    bus = Bus(address, again_seconds=0.01)
    there = asyncio.Event()
    bus.on_change(lambda up: there.set() if up else None)
    task = asyncio.create_task(bus.run())
    try:
        await there.wait()
        yield bus
    finally:
        task.cancel()
        await asyncio.wait({task})


async def seen(presence: Presence) -> Reading:
    (reading,) = await presence.look()
    return reading


async def seen_at_last(presence: Presence, bell: Bell, holds: bool | None) -> Reading:
    """The first reading of that kind, looking whenever it rings."""
    while True:
        reading = await seen(presence)
        if reading.holds is holds:
            return reading
        await bell.rung()
