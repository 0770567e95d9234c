"""At most one night at a time, and any number of people who watch it.

A night belongs to the service, not to who asked for it: watchers come and go.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any

from daemon import night_record
from daemon.night_record import NightState
from daemon.night_shift import Foreseen, NightShift

log = logging.getLogger("nightloom.night")

Json = dict[str, Any]


class NightRunner:
    """Starts the night shift when somebody asks, and tells all who watch."""

    def __init__(self, shift: NightShift) -> None:
        self._shift = shift
        self._task: asyncio.Task[None] | None = None
        self._watchers: set[asyncio.Queue[Json | None]] = set()
        self._latest: Json | None = None

    @property
    def state(self) -> NightState:
        return self._shift.state

    @property
    def runs(self) -> bool:
        return self._task is not None and not self._task.done()

    async def idle(self) -> None:
        """Returns when no night runs."""
        while self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    @property
    def most_seconds(self) -> float:
        """How long a night may take."""
        return self._shift.most_seconds

    async def foresee(self) -> Foreseen:
        """What a night would do that began now."""
        return await self._shift.foresee()

    async def watch(self) -> AsyncGenerator[Json, None]:
        """Start a night unless one runs; yields its progress and last its log entry."""
        lines: asyncio.Queue[Json | None] = asyncio.Queue()
        self._watchers.add(lines)
        try:
            if not self.runs:
                self._latest = None
                self._task = asyncio.create_task(self._run(), name="night")
            elif self._latest is not None:
                yield self._latest
            while (line := await lines.get()) is not None:
                yield line
        finally:
            self._watchers.discard(lines)

    async def stop(self) -> bool:
        """Save a checkpoint and end the night; whether one ran."""
        if not self.runs:
            return False
        assert self._task is not None
        await self._shift.stop()
        await asyncio.wait({self._task})
        return True

    async def give_up(self) -> bool:
        """End the night at once, without a checkpoint; whether one ran."""
        if not self.runs:
            return False
        assert self._task is not None
        self._shift.give_up()
        await asyncio.wait({self._task})
        return True

    async def _run(self) -> None:
        try:
            record = await self._shift.run(self._tell)
            self._tell({"night": night_record.shown(record)})
        except Exception as error:
            # an error in nightloom; its message may quote what it was given
            log.error("the night broke: %s", type(error).__name__)
        finally:
            for lines in self._watchers:
                lines.put_nowait(None)

    def _tell(self, line: Json) -> None:
        self._latest = line
        for lines in self._watchers:
            lines.put_nowait(line)
