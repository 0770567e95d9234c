"""A provider that looks: at once, when it is rung for, and every so often in between.

What has events rings; what has none is looked at closely while a night works and from afar else.
Also what has events is looked at now and then, since an event can be lost. A look that takes too
long, or breaks, says that nothing is known.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from daemon.conditions.reading import Attention, Reading, Tell, unknown

log = logging.getLogger("nightloom.conditions")

LEAST_SECONDS = 0.05  # between two looks, so that a storm of events costs little
LOOK_SECONDS = 10.0  # the longest; a driver or a file system that hangs is not waited for

Look = Callable[[], Awaitable[tuple[Reading, ...]]]
Ring = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """Seconds between two looks, while a night works and else."""

    close_seconds: float
    far_seconds: float


class Looking:
    """Args:
    names: of the conditions that a look tells of.
    look: reads them; what it raises counts as unknown.
    every: how often, asked after each look.
    listen: is given what to call when it is time for a look; awaited before the first one.
    look_seconds: the longest that a look may take.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        look: Look,
        attention: Attention,
        *,
        every: Callable[[], Every],
        listen: Callable[[Ring], Awaitable[None]] | None = None,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._names = names
        self._look = look
        self._attention = attention
        self._every = every
        self._listen = listen
        self._look_seconds = look_seconds
        self._rung = asyncio.Event()
        self._under_way: asyncio.Future[tuple[Reading, ...]] | None = None
        self._told: dict[str, Reading] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    async def run(self, tell: Tell) -> None:
        """As `Provider.run`; nothing is told twice."""
        self._told.clear()
        try:
            if self._listen is not None:
                await self._listen(self._rung.set)
                self._listen = None  # once, also if it is run again
            while True:
                self._rung.clear()
                for reading in await self._looked():
                    if self._told.get(reading.name) != reading:
                        self._told[reading.name] = reading
                        tell(reading)
                await asyncio.sleep(LEAST_SECONDS)
                await self._wait()
        finally:
            if self._under_way is not None:
                self._under_way.cancel()
                self._under_way = None

    async def _looked(self) -> tuple[Reading, ...]:
        """What a look found. While one hangs no second one is begun; what that finds in the end may
        be old, and is looked at anew."""
        looked = self._under_way
        hung = looked is not None and not looked.done()
        if looked is None or looked.done():
            looked = self._under_way = asyncio.ensure_future(self._look())
        done, _ = await asyncio.wait({looked}, timeout=self._look_seconds)
        if not done:
            if not hung:
                looked.add_done_callback(self._came_late)
            return self._nothing_known()
        self._under_way = None
        if hung:  # it has rung for another look
            return self._nothing_known()
        if looked.cancelled():  # by what it looked with: nobody else cancels it while we wait
            return self._nothing_known()
        error = looked.exception()
        if error is not None:
            log.warning("a condition could not be read: %s", type(error).__name__)
            return self._nothing_known()
        return looked.result()

    def _came_late(self, looked: "asyncio.Future[tuple[Reading, ...]]") -> None:
        if not looked.cancelled():
            looked.exception()  # nobody asks for it any more
            self._rung.set()

    def _nothing_known(self) -> tuple[Reading, ...]:
        return tuple(unknown(name) for name in self._names)

    async def _wait(self) -> None:
        """Until the next look: rung for, time is up, or the attention changed."""
        every = self._every()
        waits = [
            asyncio.ensure_future(self._rung.wait()),
            asyncio.ensure_future(
                self._attention.wait(
                    close_seconds=every.close_seconds, far_seconds=every.far_seconds
                )
            ),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
