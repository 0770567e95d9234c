"""At most one night at a time, and any number of people who watch it.

A night belongs to the service, not to who asked for it: watchers come and go. While it is held it
computes nothing and keeps what it has in memory; held for longer than the grace time, it saves a
checkpoint and ends, and the next one takes it up from there.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any

from daemon import night_record
from daemon.night_holding import ChatTurns, Held
from daemon.night_preparing import Foreseen
from daemon.night_record import NightState
from daemon.night_shift import NightShift

log = logging.getLogger("nightloom.night")

Json = dict[str, Any]


class NightRunner:
    """Starts the night shift when somebody asks, and tells all who watch.

    Args:
        grace_seconds: so long a held night keeps its engine, and with it its memory.
    """

    def __init__(self, shift: NightShift, *, grace_seconds: float = 30.0) -> None:
        self._shift = shift
        self._grace_seconds = grace_seconds
        self._grace: asyncio.TimerHandle | None = None
        self._grace_left = grace_seconds  # when the timer does not run
        self._letting_go: asyncio.Task[None] | None = None
        self._begin_again = False
        self._task: asyncio.Task[None] | None = None
        self._watchers: set[asyncio.Queue[Json | None]] = set()
        self._latest: Json | None = None
        self._on_end: list[Callable[[Json | None], None]] = []

    @property
    def state(self) -> NightState:
        return self._shift.state

    @property
    def runs(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def held(self) -> Held | None:
        """Why and since when the night that runs computes nothing; None while it works."""
        return self._shift.held

    @property
    def chat(self) -> ChatTurns | None:
        """How much of the night that runs clients' chats take; None before one took any."""
        return self._shift.chat

    def begin(self) -> bool:
        """Start a night, or take up the one that was not finished; whether none ran.

        Where a held one is just being let go, it is taken up again as soon as it has ended.
        """
        if self.runs:
            self._begin_again = self._letting_go is not None
            return False
        self._latest = None
        self._task = asyncio.create_task(self._run(), name="night")
        return True

    async def hold(self, reason: str) -> Held | None:
        """Have the night that runs compute nothing more; returns when it does not.

        What is finished stays as it is, in memory. One that is held already is held for this
        reason from now on; its grace time goes on.

        Args:
            reason: the name of the condition that ended; what is lost is counted under it.

        Returns:
            None where no night ran, or where it came to its end meanwhile.
        """
        if not self.runs or self._letting_go is not None:
            self._begin_again = False
            return None
        held = await self._shift.hold(reason)
        if held is not None and self.held is not None:
            self.settles(False)
        return held

    def settles(self, well_again: bool) -> None:
        """Of a held night: whether what it is held for is well again and only has to stay so. Its
        grace time stands still then, for it may soon go on.
        """
        if self.held is None or self._letting_go is not None:
            return
        loop = asyncio.get_running_loop()
        if not well_again:
            if self._grace is None:
                self._grace = loop.call_later(self._grace_left, self._let_go)
        elif self._grace is not None:
            self._grace_left = max(0.0, self._grace.when() - loop.time())
            self._grace.cancel()
            self._grace = None

    async def go_on(self) -> bool:
        """Have a held night work on from where it stands, or `begin` the one that was let go.

        Returns:
            Whether a night works now that did not.
        """
        if self._letting_go is not None or not self.runs:
            return self.begin()
        if self.held is None:
            return False
        self._end_grace()
        await self._shift.go_on()
        return True

    async def idle(self) -> None:
        """Returns when no night runs."""
        while self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    def on_end(self, told: Callable[[Json | None], None]) -> None:
        """`told(entry)` with the log's entry of each night that ends, None of one that broke."""
        self._on_end.append(told)

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
            if not self.begin() and self._latest is not None:
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
        self._begin_again = False
        self._end_grace()
        await self._shift.stop()
        await asyncio.wait({self._task})
        return True

    async def give_up(self) -> bool:
        """End the night at once, without a checkpoint; whether one ran."""
        if not self.runs:
            return False
        assert self._task is not None
        self._begin_again = False
        self._end_grace()
        self._shift.give_up()
        await asyncio.wait({self._task})
        return True

    async def _run(self) -> None:
        entry: Json | None = None
        try:
            record = await self._shift.run(self._tell)
            entry = night_record.shown(record)
            self._tell({"night": entry})
        except Exception as error:
            # an error in nightloom; its message may quote what it was given
            log.error("the night broke: %s", type(error).__name__)
        finally:
            self._end_grace()
            for lines in self._watchers:
                lines.put_nowait(None)
            for told in self._on_end:
                told(entry)

    def _end_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        self._grace_left = self._grace_seconds

    def _let_go(self) -> None:
        """The grace time is over: save a checkpoint, end, and give the engine's memory back."""
        self._grace = None
        if self.runs:
            self._letting_go = asyncio.create_task(self._shift_lets_go(), name="letting go")

    async def _shift_lets_go(self) -> None:
        assert self._task is not None
        try:
            await self._shift.stop(release=True)
            await asyncio.wait({self._task})
        finally:
            self._letting_go = None
        if self._begin_again:
            self._begin_again = False
            self.begin()

    def _tell(self, line: Json) -> None:
        self._latest = line
        for lines in self._watchers:
            lines.put_nowait(line)
