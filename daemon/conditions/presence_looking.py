"""Looks at every place where input can come in, for the condition `presence`.

Rung for by events; looks again by time only where nothing tells by itself (terminals), closely
while a night works and from afar else, and when the time that has to pass will have passed.
"""

import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from daemon.collecting.clock import Clock, SystemClock
from daemon.conditions.bus import Bus, BusGone
from daemon.conditions.looking import Every, Ring
from daemon.conditions.presence import Sighting, by_time, reading_of, unknown
from daemon.conditions.presence_desktop import Desktop
from daemon.conditions.presence_sessions import Session, Sessions, sightings
from daemon.conditions.presence_terminals import last_at_a_terminal
from daemon.conditions.reading import Reading

CLOSE_SECONDS = 2.0  # between two looks at a terminal while a night works
FAR_SECONDS = 60.0  # and else
LONGEST_SECONDS = 3600.0  # without any look, whatever the events say; FAR_SECONDS in a night


class Presence:
    """Args:
    system: the system's bus.
    idle_seconds: without input after which nobody is there.
    desktops: ways to ask the user's desktop, the best first; the first that answers is believed.
    screens: folders in which display servers leave their sockets.
    user: whose desktop it is.
    terminals: gives the time of the last input at a terminal, for machines without logind.
    """

    def __init__(
        self,
        system: Bus,
        *,
        idle_seconds: float,
        desktops: Sequence[Desktop] = (),
        screens: Sequence[Path] = (),
        user: int | None = None,
        terminals: Callable[[], float | None] = last_at_a_terminal,
        clock: Clock | None = None,
    ) -> None:
        self._idle_seconds = idle_seconds
        self._desktops = desktops
        self._screens = screens
        self._user = os.getuid() if user is None else user
        self._terminals = terminals
        self._clock = clock or SystemClock()
        self._system = system
        self._sessions = Sessions(system)
        self._every = Every(close_seconds=LONGEST_SECONDS, far_seconds=LONGEST_SECONDS)

    async def listen(self, ring: Ring) -> None:
        """Once, before the first look."""
        self._system.on_change(lambda _: ring())
        await self._sessions.listen(ring)
        for desktop in self._desktops:
            await desktop.listen(ring)

    def every(self) -> Every:
        """When to look again, as the last look found."""
        return self._every

    async def look(self) -> tuple[Reading, ...]:
        now = self._clock.now()
        try:
            sessions = await self._sessions.read(now)
        except BusGone:
            self._every = Every(close_seconds=CLOSE_SECONDS, far_seconds=FAR_SECONDS)
            return (unknown("logind does not answer", self._idle_seconds),)
        found = await self._found(now, sessions)
        self._every = every(found, now)
        return (reading_of(found, self._idle_seconds),)

    async def _found(self, now: float, sessions: Sequence[Session] | None) -> list[Sighting]:
        desktop = await self._desktop(now, sessions or ())
        terminal = self._terminals()
        if sessions is None:
            return self._without_logind(now, desktop, terminal)
        believed = desktop is not None and desktop.away is not None
        found = sightings(
            sessions,
            now=now,
            idle_seconds=self._idle_seconds,
            locked_since=self._sessions.locked_since,
            last_at_a_terminal=terminal,
            told_by_its_desktop=self._user if believed else None,
        )
        if desktop is not None and believed:
            found.append(desktop)
        return found

    async def _desktop(self, now: float, sessions: Sequence[Session]) -> Sighting | None:
        """What the user's desktop tells; the last that does not know where none does."""
        silent = None
        for desktop in self._desktops:
            seen = await desktop.look(now, sessions)
            if seen is not None and seen.away is not None:
                return seen
            silent = seen or silent
        return silent

    def _without_logind(
        self, now: float, desktop: Sighting | None, terminal: float | None
    ) -> list[Sighting]:
        found = [] if desktop is None else [desktop]
        if desktop is None and self._a_screen_is_there():
            found.append(Sighting(source="a desktop", away=None, polled=True))
        if terminal is not None:
            found.append(
                by_time(
                    "a terminal",
                    terminal,
                    now=now,
                    idle_seconds=self._idle_seconds,
                    polled=True,
                )
            )
        # Somebody may open a terminal, and nobody tells.
        return found or [Sighting(source="terminals", away=True, polled=True)]

    def _a_screen_is_there(self) -> bool:
        return any(
            somebody_listens(path)
            for folder in self._screens
            for pattern in ("X[0-9]*", "wayland-[0-9]*")
            for path in folder.glob(pattern)
        )


def somebody_listens(path: Path) -> bool:
    """Whether a socket has a server; those of servers that died stay behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as reaching:
        reaching.setblocking(False)
        try:
            reaching.connect(str(path))
        except (BlockingIOError, PermissionError):
            return True  # busy, or somebody else's
        except OSError:
            return False
        return True


def every(found: Sequence[Sighting], now: float) -> Every:
    """When there can be something new without any event."""
    polled = any(one.polled for one in found)
    moments = [one.away_at for one in found if one.away_at is not None]
    # The last of them is the one that counts: nobody is there when nobody is anywhere.
    until = max(1.0, max(moments, default=now + LONGEST_SECONDS) - now)
    longest = min(until, LONGEST_SECONDS)
    if not polled:
        return Every(close_seconds=min(FAR_SECONDS, longest), far_seconds=longest)
    return Every(close_seconds=min(CLOSE_SECONDS, longest), far_seconds=min(FAR_SECONDS, longest))
