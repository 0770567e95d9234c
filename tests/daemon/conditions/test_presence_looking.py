"""Presence on a real bus: logind's sessions come, change and go; so does the bus."""

from collections.abc import Sequence
from pathlib import Path

from daemon.conditions.bus import Bus
from daemon.conditions.presence import Sighting
from daemon.conditions.presence_desktop import Desktop
from daemon.conditions.presence_looking import Presence, somebody_listens
from daemon.conditions.presence_sessions import MANAGER, SESSION, Session
from tests.daemon.conditions.seeing import (
    MINUTE,
    NOW,
    Bell,
    SetClock,
    connected,
    seen,
    seen_at_last,
)
from tests.private_bus import Mock, PrivateBus

IDLE = 15 * MINUTE
USER = 1000


def presence(
    bus: Bus,
    clock: SetClock,
    *,
    desktops: Sequence[Desktop] = (),
    screens: Sequence[Path] = (),
    terminal: float | None = None,
) -> Presence:
    return Presence(
        bus,
        idle_seconds=IDLE,
        desktops=desktops,
        screens=screens,
        user=USER,
        terminals=lambda: terminal,
        clock=clock,
    )


class Told:
    """A desktop that tells what the test says."""

    def __init__(self, sighting: Sighting | None) -> None:
        self.sighting = sighting

    async def listen(self, changed: object) -> None:
        pass

    async def look(self, now: float, sessions: Sequence[Session]) -> Sighting | None:
        return self.sighting


def log_in(logind: Mock, name: str, kind: str, *, user: int = USER) -> str:
    (path,) = logind.call("AddSession", "ssusb", name, "seat0", user, "somebody", True)
    logind.update(SESSION, {"Type": ("s", kind)}, path=path)
    return str(path)


async def test_a_desktop_is_used_left_locked_and_left_for_good(private_bus: PrivateBus) -> None:
    logind = private_bus.mock("logind")
    clock, bell = SetClock(), Bell()
    async with connected(private_bus.address) as bus:
        places = presence(bus, clock)
        await places.listen(bell.ring)
        assert (await seen(places)).value == "nobody is logged in"

        path = log_in(logind, "c1", "wayland")
        assert (await seen_at_last(places, bell, False)).reason == "user_present"

        idle = {"IdleHint": ("b", True), "IdleSinceHint": ("t", int(NOW * 1e6))}
        logind.update(SESSION, idle, path=path)
        clock.time = NOW + 16 * MINUTE
        assert (await seen_at_last(places, bell, True)).value.startswith("no input since ")

        logind.update(SESSION, {"IdleHint": ("b", False)}, path=path)
        await seen_at_last(places, bell, False)

        logind.update(SESSION, {"LockedHint": ("b", True)}, path=path)
        while "locked" not in (await seen(places)).value:
            await bell.rung()
        clock.time += 14 * MINUTE
        assert (await seen(places)).holds is False
        clock.time += MINUTE
        assert (await seen(places)).holds is True
        logind.update(SESSION, {"LockedHint": ("b", False)}, path=path)
        await seen_at_last(places, bell, False)

        logind.call("RemoveObject", "s", path)
        logind.emit("org.freedesktop.login1.Manager", "SessionRemoved", "so", "c1", path)
        assert (await seen_at_last(places, bell, True)).value == "nobody is logged in"


async def test_a_bus_that_is_gone_is_a_no_and_one_that_is_back_is_asked_anew(
    private_bus: PrivateBus,
) -> None:
    private_bus.mock("logind")
    bell = Bell()
    async with connected(private_bus.address) as bus:
        places = presence(bus, SetClock())
        await places.listen(bell.ring)
        await seen_at_last(places, bell, True)
        private_bus.stop()
        assert (await seen_at_last(places, bell, None)).reason == "presence_unknown"
        private_bus.start()
        logind = private_bus.mock("logind")
        await seen_at_last(places, bell, True)
        log_in(logind, "c2", "x11")
        await seen_at_last(places, bell, False)


async def test_a_logind_that_ends_or_refuses_is_a_no(private_bus: PrivateBus) -> None:
    bell = Bell()
    async with connected(private_bus.address) as bus:
        places = presence(bus, SetClock())
        await places.listen(bell.ring)
        logind = private_bus.mock("logind")
        assert (await seen_at_last(places, bell, True)).value == "nobody is logged in"
        logind.close()
        assert (await seen_at_last(places, bell, None)).value == "logind does not answer"
        logind = private_bus.mock("logind")
        await seen_at_last(places, bell, True)
        refusal = 'raise dbus.exceptions.DBusException("", name="org.example.AccessDenied")'
        logind.add_method("ListSessions", "", "a(susso)", refusal, interface=MANAGER)
        assert (await seen(places)).holds is None


async def test_somebody_elses_desktop_counts_and_the_own_one_tells_for_itself(
    private_bus: PrivateBus,
) -> None:
    logind = private_bus.mock("logind")
    log_in(logind, "c1", "wayland")
    own = Told(Sighting(source="GNOME", away=True))
    bell = Bell()
    async with connected(private_bus.address) as bus:
        places = presence(bus, SetClock(), desktops=[own])
        await places.listen(bell.ring)
        assert (await seen(places)).holds is True
        own.sighting = Sighting(source="GNOME", away=None)  # then logind is believed
        assert (await seen(places)).holds is False
        own.sighting = None
        assert (await seen(places)).holds is False
        own.sighting = Sighting(source="GNOME", away=True)
        log_in(logind, "c2", "wayland", user=USER + 1)
        assert (
            await seen_at_last(places, bell, False)
        ).value == "in use (a desktop, by logind's hints)"


async def test_a_login_at_a_terminal_is_asked_for_its_last_input(private_bus: PrivateBus) -> None:
    logind = private_bus.mock("logind")
    path = log_in(logind, "7", "tty")
    bell, clock = Bell(), SetClock()
    async with connected(private_bus.address) as bus:
        places = presence(bus, clock)
        await places.listen(bell.ring)
        since = {"IdleSinceHint": ("t", int((NOW - 3 * MINUTE) * 1e6))}
        logind.update(SESSION, since, path=path)
        while not (await seen(places)).value.startswith("in use (a terminal)"):
            await bell.rung()
        assert places.every().close_seconds < places.every().far_seconds
        clock.time = NOW + 12 * MINUTE
        assert (await seen(places)).holds is True


async def test_without_logind_the_terminals_and_the_desktop_tell(
    private_bus: PrivateBus, tmp_path: Path
) -> None:
    clock = SetClock()
    used, left = NOW - MINUTE, NOW - 20 * MINUTE
    async with connected(private_bus.address) as bus:
        assert (await seen(presence(bus, clock))).holds is True
        assert (await seen(presence(bus, clock, terminal=used))).holds is False
        assert (await seen(presence(bus, clock, terminal=left))).holds is True
        here = Told(Sighting(source="Wayland", away=False))
        assert (await seen(presence(bus, clock, desktops=[here], terminal=left))).holds is False
        # a screen that nobody can be asked about
        private = presence(bus, clock, screens=[private_bus.folder])
        assert (await seen(private)).holds is True
        (private_bus.folder / "wayland-0").symlink_to(private_bus.socket)
        assert (await seen(private)).holds is None
        private_bus.stop(leave_socket=True)  # a server that died
        assert not somebody_listens(private_bus.folder / "wayland-0")


async def test_a_machine_without_any_bus_is_not_unknown(tmp_path: Path) -> None:
    for address in ("", f"unix:path={tmp_path / 'none'}"):
        places = presence(Bus(address), SetClock())
        await places.listen(Bell().ring)
        assert (await seen(places)).holds is True
