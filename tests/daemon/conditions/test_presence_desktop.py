"""Desktops that tell when they were used last: GNOME's idle monitor, and the older screen saver."""

from daemon.conditions.bus import Bus
from daemon.conditions.presence import Sighting
from daemon.conditions.presence_desktop import IdleMonitor, ScreenSaver
from tests.daemon.conditions.seeing import MINUTE, NOW, Bell, connected
from tests.private_bus import Mock, PrivateBus

IDLE = 15 * MINUTE
MONITOR = "org.gnome.Mutter.IdleMonitor"
CORE = "/org/gnome/Mutter/IdleMonitor/Core"
IDLE_WATCH, ACTIVE_WATCH = 7, 8


def gnome(bus: PrivateBus, *, idle_ms: int) -> Mock:
    mock = bus.mock_of(MONITOR, CORE, MONITOR)
    mock.add_method("AddIdleWatch", "t", "u", f"ret = {IDLE_WATCH}")
    mock.add_method("AddUserActiveWatch", "", "u", f"ret = {ACTIVE_WATCH}")
    say(mock, idle_ms)
    return mock


def say(mock: Mock, idle_ms: int) -> None:
    mock.add_method("GetIdletime", "", "t", f"ret = {idle_ms}")


async def told(desktop: IdleMonitor | ScreenSaver, bell: Bell, away: bool | None) -> Sighting:
    while True:
        seen = await desktop.look(NOW, ())
        if seen is not None and seen.away is away:
            return seen
        await bell.rung()


def monitor(bus: Bus) -> IdleMonitor:
    return IdleMonitor(bus, name=MONITOR, path=CORE, source="GNOME", idle_seconds=IDLE)


async def test_gnome_tells_when_the_user_goes_and_comes(private_bus: PrivateBus) -> None:
    bell = Bell()
    async with connected(private_bus.address) as bus:
        desktop = monitor(bus)
        await desktop.listen(bell.ring)
        assert await desktop.look(NOW, ()) is None
        mock = gnome(private_bus, idle_ms=1000)
        seen = await told(desktop, bell, False)
        assert (seen.away_at, seen.polled) == (None, False)
        assert mock.calls("AddIdleWatch") == [[15 * 60 * 1000]]
        assert mock.calls("AddUserActiveWatch") == []

        say(mock, 15 * 60 * 1000 - 5)  # a little early, as watches can be
        mock.emit(MONITOR, "WatchFired", "u", IDLE_WATCH)
        await told(desktop, bell, True)
        mock.emit(MONITOR, "WatchFired", "u", 99)  # somebody else's
        say(mock, 5)
        mock.emit(MONITOR, "WatchFired", "u", ACTIVE_WATCH)
        await told(desktop, bell, False)

        say(mock, 15 * 60 * 1000)
        mock.emit(MONITOR, "WatchFired", "u", IDLE_WATCH)
        await told(desktop, bell, True)
        assert mock.calls("AddIdleWatch") == [[15 * 60 * 1000]]  # it stays
        assert len(mock.calls("AddUserActiveWatch")) == 2  # it fires once

        mock.close()
        while await desktop.look(NOW, ()) is not None:
            await bell.rung()
        gnome(private_bus, idle_ms=0)  # the shell was started anew
        await told(desktop, bell, False)


async def test_who_comes_back_while_that_is_asked_for_is_seen_the_next_time_too(
    private_bus: PrivateBus,
) -> None:
    bell = Bell()
    async with connected(private_bus.address) as bus:
        desktop = monitor(bus)
        await desktop.listen(bell.ring)
        mock = gnome(private_bus, idle_ms=15 * 60 * 1000)
        mock.add_method("AddUserActiveWatch", "", "u", f"self.came = True; ret = {ACTIVE_WATCH}")
        idle = "5 if getattr(self, 'came', False) else 15 * 60 * 1000"
        mock.add_method("GetIdletime", "", "t", f"ret = {idle}")
        await told(desktop, bell, False)

        say(mock, 15 * 60 * 1000)
        mock.emit(MONITOR, "WatchFired", "u", IDLE_WATCH)
        await told(desktop, bell, True)
        assert len(mock.calls("AddUserActiveWatch")) == 2  # the first one has fired already


async def test_a_monitor_that_refuses_does_not_know(private_bus: PrivateBus) -> None:
    bell = Bell()
    async with connected(private_bus.address) as bus:
        desktop = monitor(bus)
        await desktop.listen(bell.ring)
        private_bus.mock_of(MONITOR, CORE, MONITOR)
        seen = await told(desktop, bell, None)
        assert seen.polled


SAVER = ScreenSaver.NAME


async def test_a_screen_saver_is_asked_and_believed_in_milliseconds(
    private_bus: PrivateBus,
) -> None:
    bell = Bell()
    async with connected(private_bus.address) as bus:
        desktop = ScreenSaver(bus, source="the desktop", idle_seconds=IDLE)
        await desktop.listen(bell.ring)
        mock = private_bus.mock_of(SAVER, ScreenSaver.PATH, SAVER)
        while not bus.connected or not await bus.owned(SAVER):
            await bell.rung()
        assert await desktop.look(NOW, ()) is None  # it has no such method

        mock.add_method("GetSessionIdleTime", "", "u", "ret = 0")
        assert await desktop.look(NOW, ()) is None  # some always say so

        for later, milliseconds, away in (
            (10, 950, False),
            (70, 1010, False),  # typed in between, and no proof of anything
            (1000, 900_000, True),
            (1002, 0, False),
        ):
            mock.add_method("GetSessionIdleTime", "", "u", f"ret = {milliseconds}")
            seen = await desktop.look(NOW + later, ())
            assert seen is not None
            assert (seen.away, seen.polled) == (away, True)
