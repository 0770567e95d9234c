"""Who is logged in, as logind tells: desktops and terminals, of every user, here and from afar.

Deciding is pure; `Sessions` asks. Knows nothing of desktops' own interfaces.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.conditions.bus import Bus, BusGone, BusRefused, Signal
from daemon.conditions.presence import Sighting, by_time

LOGIND = "org.freedesktop.login1"
LOGIND_PATH = "/org/freedesktop/login1"
MANAGER = "org.freedesktop.login1.Manager"
SESSION = "org.freedesktop.login1.Session"
PROPERTIES = "org.freedesktop.DBus.Properties"

GRAPHICAL = ("x11", "wayland", "mir")
TERMINAL = "tty"
ENDED = ("UnknownObject", "UnknownMethod", "NoSuchSession")  # how errors of ended sessions end
PERSONS = "user"  # classes of sessions that begin so are persons'; others are services


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One login.

    Args:
        kind: `x11`, `wayland`, `tty`, ...; `unspecified` where nobody types (a copy over ssh).
        active: whether its screen is in front; a login from afar always is.
        idle: what it says itself, or for a terminal what logind sees.
        since: since when it is so, in seconds since the epoch; for a terminal the last input; 0:
            unknown.
        display: of X11, such as `:0`.
    """

    path: str
    user: int
    kind: str
    active: bool
    idle: bool
    since: float
    locked: bool
    display: str = ""

    @property
    def graphical(self) -> bool:
        return self.kind in GRAPHICAL


def session_of(path: str, said: Mapping[str, Any]) -> Session | None:
    """What logind says of a session; None where it is no person's, or ends."""
    if not str(said.get("Class", PERSONS)).startswith(PERSONS) or said.get("State") == "closing":
        return None
    return Session(
        path=path,
        user=int(said["User"][0]),
        kind=str(said.get("Type", "")),
        active=bool(said.get("Active", True)),
        idle=bool(said.get("IdleHint", False)),
        since=float(said.get("IdleSinceHint", 0)) / 1e6,
        locked=bool(said.get("LockedHint", False)),
        display=str(said.get("Display", "")),
    )


def sightings(
    sessions: Iterable[Session],
    *,
    now: float,
    idle_seconds: float,
    locked_since: Mapping[str, float],
    last_at_a_terminal: float | None,
    told_by_its_desktop: int | None,
) -> list[Sighting]:
    """Each session in which somebody could be.

    Args:
        locked_since: since when each locked session is known to be so, by its path. Whoever locks
            the screen goes; whoever comes back unlocks it.
        last_at_a_terminal: the last input at any terminal, for logins of which logind knows none.
        told_by_its_desktop: the user whose desktop tells better than logind, if there is one.
    """
    found = []
    for session in sessions:
        if session.graphical:
            if not session.active or session.user == told_by_its_desktop:
                continue
            found.append(_of_a_desktop(session, now, idle_seconds, locked_since.get(session.path)))
        elif session.kind == TERMINAL:
            last = session.since or last_at_a_terminal
            found.append(
                Sighting(source="a terminal", away=None, polled=True)
                if last is None
                else by_time("a terminal", last, now=now, idle_seconds=idle_seconds, polled=True)
            )
    return found


def _of_a_desktop(
    session: Session, now: float, idle_seconds: float, locked_since: float | None
) -> Sighting:
    source = "a desktop, by logind's hints"
    known = []
    if session.idle and session.since:
        known.append(session.since)
    if locked_since is not None:
        source = "a locked desktop"
        known.append(locked_since)
    if not known:
        return Sighting(source=source, away=False)
    return by_time(source, min(known), now=now, idle_seconds=idle_seconds)


class Sessions:
    """Asks logind."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._locked_since: dict[str, float] = {}
        self._was_there = False

    async def listen(self, changed: Callable[[], None]) -> None:
        """`changed()` when something may be other than it was told last."""

        def heard_of_a_property(signal: Signal) -> None:
            if signal.body and signal.body[0] == SESSION:
                changed()

        for member in ("SessionNew", "SessionRemoved"):
            await self._bus.subscribe(MANAGER, member, lambda _: changed(), sender=LOGIND)
        await self._bus.subscribe(
            PROPERTIES, "PropertiesChanged", heard_of_a_property, sender=LOGIND
        )
        await self._bus.watch_owner(LOGIND, lambda _: changed())

    async def read(self, now: float) -> list[Session] | None:
        """All persons' sessions; None where this machine has no logind.

        Raises: BusGone: it has one that does not answer, or does not want to.
        """
        if self._bus.absent or not (self._was_there or await self._bus.owned(LOGIND)):
            return None
        self._was_there = True
        try:
            (listed,) = await self._bus.call(LOGIND, LOGIND_PATH, MANAGER, "ListSessions")
        except BusRefused:  # it ended, or lets nobody ask
            raise BusGone from None
        sessions = []
        for _, _, _, _, path in listed:
            try:
                (said,) = await self._bus.call(LOGIND, path, PROPERTIES, "GetAll", "s", SESSION)
            except BusRefused as refused:
                if refused.name.endswith(ENDED):
                    continue
                raise BusGone from None
            if (session := session_of(path, said)) is not None:
                sessions.append(session)
        self._locked_since = {
            one.path: self._locked_since.get(one.path, now) for one in sessions if one.locked
        }
        return sessions

    @property
    def locked_since(self) -> Mapping[str, float]:
        return self._locked_since
