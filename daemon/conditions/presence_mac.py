"""When a Mac saw input last, and what keeps its screen on: read from what `ioreg` and `pmset`
print.

Nothing tells by itself here, so both are asked again and again. Not tried on a Mac; the parsers are
tested on what those programs are known to print.
"""

import re
from collections.abc import Awaitable, Callable

from daemon.collecting.clock import Clock, SystemClock
from daemon.conditions import inhibited, presence
from daemon.conditions.looking import Every
from daemon.conditions.printed import printed
from daemon.conditions.reading import Reading

IOREG = ("/usr/sbin/ioreg", "-c", "IOHIDSystem", "-d", "4", "-r", "-k", "HIDIdleTime")
ASSERTIONS = ("/usr/bin/pmset", "-g", "assertions")
EVERY = Every(close_seconds=2.0, far_seconds=60.0)

Printed = Callable[[tuple[str, ...]], Awaitable[str | None]]


def idle_seconds_in(ioreg: str) -> float | None:
    """Since the last input at any device; None where it is not told. It is printed in
    nanoseconds."""
    found = [int(one) for one in re.findall(r'"HIDIdleTime"\s*=\s*(\d+)', ioreg)]
    return min(found) / 1e9 if found else None


def screen_is_kept_on(assertions: str) -> bool | None:
    """Whether the table says so; None where there is no such table."""
    found = re.findall(
        r"^\s*(PreventUserIdleDisplaySleep|NoDisplaySleepAssertion)\s+(\d+)\s*$",
        assertions,
        flags=re.MULTILINE,
    )
    return any(int(count) > 0 for _, count in found) if found else None


class MacPresence:
    """The conditions `presence` and `inhibited` on a Mac."""

    def __init__(
        self, *, idle_seconds: float, clock: Clock | None = None, ask: Printed = printed
    ) -> None:
        self._idle_seconds = idle_seconds
        self._clock = clock or SystemClock()
        self._ask = ask

    async def look(self) -> tuple[Reading, ...]:
        return await self._presence(), await self._inhibited()

    async def _presence(self) -> Reading:
        text = await self._ask(IOREG)
        idle = None if text is None else idle_seconds_in(text)
        if idle is None:
            return presence.unknown("ioreg does not tell", self._idle_seconds)
        now = self._clock.now()
        seen = presence.by_time(
            "the Mac", round(now - idle), now=now, idle_seconds=self._idle_seconds
        )
        return presence.reading_of([seen], self._idle_seconds)

    async def _inhibited(self) -> Reading:
        text = await self._ask(ASSERTIONS)
        kept_on = None if text is None else screen_is_kept_on(text)
        if kept_on is None:
            return inhibited.reading_of([], ["pmset"])
        return inhibited.reading_of(["pmset"] if kept_on else [], [])
