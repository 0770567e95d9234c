"""When a desktop saw input last, by the interfaces on the session bus.

GNOME's idle monitor (Cinnamon's is the same under another name) tells when the time is over and
when somebody is back. `org.freedesktop.ScreenSaver` only answers, and has to be asked again and
again.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from daemon.conditions.bus import Bus, BusGone, BusRefused, Signal
from daemon.conditions.presence import Sighting, by_time
from daemon.conditions.presence_sessions import Session


class Desktop(Protocol):
    """One way to ask the desktop of the user whom the service belongs to."""

    async def listen(self, changed: Callable[[], None]) -> None:
        """Once, before the first look; `changed()` when there is something to tell."""
        ...

    async def look(self, now: float, sessions: Sequence[Session]) -> Sighting | None:
        """What it tells; None where it is not there. Raises nothing."""
        ...


class IdleMonitor:
    """Mutter's, and those made after it.

    Args:
        name: on the bus, and of the interface.
        path: of its object for all devices.
        source: what a user calls it.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        name: str,
        path: str,
        source: str,
        idle_seconds: float,
    ) -> None:
        self._bus = bus
        self._name = name
        self._path = path
        self._source = source
        self._idle_seconds = idle_seconds
        self._changed: Callable[[], None] = lambda: None
        self._there = False
        self._idle_watch = 0
        self._active_watch = 0

    async def listen(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        await self._bus.subscribe(
            self._name, "WatchFired", self._fired, path=self._path, sender=self._name
        )
        await self._bus.watch_owner(self._name, self._owned)

    async def look(self, now: float, sessions: Sequence[Session]) -> Sighting | None:
        if not self._there:
            return None
        try:
            return await self._asked(now)
        except (BusGone, BusRefused):
            self._idle_watch = self._active_watch = 0  # it may be another one already
            return Sighting(source=self._source, away=None, polled=True)

    async def _asked(self, now: float) -> Sighting:
        milliseconds = int(self._idle_seconds * 1000)
        if not self._idle_watch:  # fires each time that nobody did anything for so long
            self._idle_watch = await self._ask("AddIdleWatch", "t", milliseconds)
        seen = await self._last_input(now)
        if seen.away and not self._active_watch:
            self._active_watch = await self._ask("AddUserActiveWatch")  # fires once
            seen = await self._last_input(now)  # what came just before it was listened for
        if not seen.away:
            self._active_watch = 0  # it may have fired already, before its number was known
        return seen

    async def _last_input(self, now: float) -> Sighting:
        idle = await self._ask("GetIdletime") / 1000
        # Its own clock says when the time is over, by a watch that fires once; a look just before
        # that moment must not miss it.
        enough = max(0.0, self._idle_seconds - 1)
        seen = by_time(self._source, now - idle, now=now, idle_seconds=enough)
        return Sighting(source=seen.source, away=seen.away, last_input=seen.last_input)

    async def _ask(self, member: str, signature: str = "", *body: int) -> int:
        (answer,) = await self._bus.call(
            self._name, self._path, self._name, member, signature, *body
        )
        return int(answer)

    def _fired(self, signal: Signal) -> None:
        watch = signal.body[0] if signal.body else 0
        if watch and watch in (self._active_watch, self._idle_watch):
            if watch == self._active_watch:
                self._active_watch = 0
            self._changed()

    def _owned(self, there: bool) -> None:
        self._there = there
        self._idle_watch = self._active_watch = 0
        self._changed()


class ScreenSaver:
    """KDE's and others' `GetSessionIdleTime`. Not part of any standard: KDE answers in milliseconds
    and on X11 alone, some always 0, some not at all. Who answers in seconds is believed to be in
    use, as long as nobody else tells."""

    NAME = "org.freedesktop.ScreenSaver"
    PATH = "/org/freedesktop/ScreenSaver"

    def __init__(self, bus: Bus, *, source: str, idle_seconds: float) -> None:
        self._bus = bus
        self._source = source
        self._idle_seconds = idle_seconds
        self._changed: Callable[[], None] = lambda: None
        self._there = False
        self._tells = False  # something else than 0

    async def listen(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        await self._bus.subscribe(self.NAME, "ActiveChanged", lambda _: changed(), sender=self.NAME)
        await self._bus.watch_owner(self.NAME, self._owned)

    async def look(self, now: float, sessions: Sequence[Session]) -> Sighting | None:
        if not self._there:
            return None
        try:
            (answer,) = await self._bus.call(self.NAME, self.PATH, self.NAME, "GetSessionIdleTime")
        except BusRefused:
            return None  # it has no such method: somebody else may know
        except BusGone:
            return Sighting(source=self._source, away=None, polled=True)
        self._tells = self._tells or answer > 0
        if not self._tells:
            return None
        return by_time(
            self._source,
            now - answer / 1000,
            now=now,
            idle_seconds=self._idle_seconds,
            polled=True,
        )

    def _owned(self, there: bool) -> None:
        self._there = there
        self._tells = False
        self._changed()
