"""Staying awake while a night works, and saving before a sleep that comes all the same."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.conditions.bus import Bus
from daemon.conditions.inhibited import POWER, POWER_INHIBIT, POWER_PATH, Inhibited
from daemon.conditions.presence_sessions import LOGIND_PATH, MANAGER
from daemon.sleeping import (
    GNOME,
    GNOME_PATH,
    IN_GNOME,
    IN_XFCE,
    Awake,
    Caffeinate,
    StayAwake,
    StayAwakeEverywhere,
    StayAwakeOnDesktop,
    Suspends,
)
from tests.daemon.conditions.seeing import Bell, connected
from tests.private_bus import Mock, PrivateBus, private_bus

__all__ = ["private_bus"]  # a fixture

BLOCK = ("sleep", "nightloom", "block")
DELAY = ("sleep", "nightloom", "delay")


def inhibitors(logind: Mock) -> set[tuple[str, str, str]]:
    (listed,) = logind.call("ListInhibitors", interface=MANAGER)
    return {(what, who, mode) for what, who, _, mode, _, _ in listed}


async def until(condition: Callable[[], bool]) -> None:
    """What another process does; the test's own cap is the limit."""
    while not condition():  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.005)


async def test_the_machine_is_held_awake_and_let_go_at_once(private_bus: PrivateBus) -> None:
    logind = private_bus.mock("logind")
    async with connected(private_bus.address) as bus:
        awake = StayAwake(bus)
        assert awake.state is Awake.NOT_WANTED
        both = await asyncio.gather(awake.hold(), awake.hold())
        assert list(both) == [Awake.HELD, Awake.HELD]
        assert await awake.hold() is Awake.HELD
        assert inhibitors(logind) == {BLOCK}
        assert len(logind.calls("Inhibit")) == 1
        awake.release()
        awake.release()
        assert awake.state is Awake.NOT_WANTED
        await until(lambda: inhibitors(logind) == set())


async def test_what_is_let_go_while_it_is_asked_for_is_not_held(private_bus: PrivateBus) -> None:
    logind = private_bus.mock("logind")
    async with connected(private_bus.address) as bus:
        awake = StayAwake(bus)
        asking = asyncio.create_task(awake.hold())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        awake.release()
        assert await asking is Awake.NOT_WANTED
        await until(lambda: inhibitors(logind) == set())


async def test_a_logind_that_refuses_is_said(private_bus: PrivateBus) -> None:
    logind = private_bus.mock("logind")
    refusal = (
        'raise dbus.exceptions.DBusException("", name="org.freedesktop.DBus.Error.AccessDenied")'
    )
    logind.add_method("Inhibit", "ssss", "h", refusal, interface=MANAGER)
    async with connected(private_bus.address) as bus:
        awake = StayAwake(bus)
        assert await awake.hold() is Awake.REFUSED


async def test_a_bus_that_comes_back_is_asked_again_while_it_is_wanted(
    private_bus: PrivateBus,
) -> None:
    bus = Bus(private_bus.address, again_seconds=0.01)
    awake = StayAwake(bus)
    assert await awake.hold() is Awake.UNAVAILABLE
    logind = private_bus.mock("logind")
    task = asyncio.create_task(bus.run())
    await until(lambda: awake.state is Awake.HELD)
    assert inhibitors(logind) == {BLOCK}
    awake.release()
    task.cancel()
    await asyncio.wait({task})


async def test_gnome_is_asked_too_and_let_go_and_asked_again_after_its_bus_was_lost(
    private_bus: PrivateBus,
) -> None:
    def gnome() -> Mock:
        mock = private_bus.mock_of(GNOME, GNOME_PATH, GNOME)
        mock.add_method("Inhibit", "susu", "u", "ret = 5")
        mock.add_method("Uninhibit", "u", "", "")
        return mock

    async with connected(private_bus.address) as bus:
        awake = StayAwakeEverywhere(StayAwake(Bus("")), StayAwakeOnDesktop(bus, IN_GNOME))
        assert await awake.hold() is Awake.UNAVAILABLE  # no GNOME here
        sessions = gnome()
        assert await awake.hold() is Awake.HELD
        assert await awake.hold() is Awake.HELD
        assert sessions.calls("Inhibit") == [["nightloom", 0, "A night is working", 4]]
        awake.release()
        assert awake.state is Awake.NOT_WANTED
        await until(lambda: sessions.calls("Uninhibit") == [[5]])

        assert await awake.hold() is Awake.HELD
        private_bus.stop()
        await until(lambda: awake.state is Awake.UNAVAILABLE)
        private_bus.start()
        sessions = gnome()
        await until(lambda: bus.connected)
        assert await awake.hold() is Awake.HELD


async def test_xfce_is_asked_too_and_does_not_take_a_night_for_a_film(
    private_bus: PrivateBus,
) -> None:
    xfce = private_bus.mock_of(POWER, POWER_PATH, POWER_INHIBIT)
    xfce.add_method("HasInhibit", "", "b", "ret = bool(getattr(self, 'held', []))")
    xfce.add_method(
        "Inhibit", "ss", "u", "self.held = [args[0], *getattr(self, 'held', [])]; ret = 7"
    )
    xfce.add_method("UnInhibit", "u", "", "self.held = self.held[1:]")
    bell = Bell()
    async with connected(private_bus.address) as bus:
        awake = StayAwakeOnDesktop(bus, IN_XFCE)
        inhibited = Inhibited(system=Bus(""), session=bus, own_process=os.getpid())
        await inhibited.listen(bell.ring)
        await bell.rung()
        assert await awake.hold() is Awake.REFUSED  # it could not tell our wish from a film
        xfce.add_method(
            "GetInhibitors",
            "",
            "as",
            "ret = dbus.Array(self.held, signature='s')"
            " if getattr(self, 'held', []) else dbus.Array([], signature='s')",
        )

        assert await awake.hold() is Awake.HELD
        assert xfce.calls("Inhibit") == [["nightloom", "A night is working"]]
        (alone,) = await inhibited.look()
        assert alone.holds
        xfce.call("Inhibit", "ss", "a player", "a film", interface=POWER_INHIBIT)
        (beside_a_film,) = await inhibited.look()
        assert beside_a_film.holds is False
        awake.release()
        await until(lambda: xfce.calls("UnInhibit") == [[7]])


class Night:
    """What is saved, and what happens before and after."""

    def __init__(self, save: Callable[[], Awaitable[None]] | None = None) -> None:
        self.saved = asyncio.Event()
        self.woken = asyncio.Event()
        self._save = save

    async def before(self) -> None:
        if self._save is not None:
            await self._save()
        self.saved.set()


@contextmanager
def listening(suspends: Suspends) -> Iterator[None]:
    task = asyncio.get_running_loop().create_task(suspends.run())
    try:
        yield
    finally:
        task.cancel()


async def test_a_sleep_waits_until_all_is_saved(private_bus: PrivateBus) -> None:
    logind = private_bus.mock("logind")
    may_save = asyncio.Event()

    async def save() -> None:
        await may_save.wait()

    night = Night(save)
    async with connected(private_bus.address) as bus:
        suspends = Suspends(bus, before=night.before, after=night.woken.set)
        with listening(suspends):
            for _ in range(2):
                await until(lambda: inhibitors(logind) == {DELAY})
                logind.emit(MANAGER, "PrepareForSleep", "b", True, path=LOGIND_PATH)
                may_save.set()
                await night.saved.wait()
                await until(lambda: inhibitors(logind) == set())
                assert not suspends.delays
                logind.emit(MANAGER, "PrepareForSleep", "b", False, path=LOGIND_PATH)
                await night.woken.wait()
                night.saved.clear()
                night.woken.clear()
        await until(lambda: inhibitors(logind) == set())


@pytest.mark.parametrize("hangs", [True, False])
async def test_a_save_that_hangs_or_fails_does_not_keep_the_machine_up(
    private_bus: PrivateBus, hangs: bool, caplog: pytest.LogCaptureFixture
) -> None:
    logind = private_bus.mock("logind")
    logind.add_properties(MANAGER, {"InhibitDelayMaxUSec": ("t", 50_000)})

    async def save() -> None:
        if hangs:
            await asyncio.Event().wait()
        raise ValueError("the user's words")

    async with connected(private_bus.address) as bus:
        suspends = Suspends(bus, before=Night(save).before)
        with listening(suspends):
            await until(lambda: inhibitors(logind) == {DELAY})
            logind.emit(MANAGER, "PrepareForSleep", "b", True, path=LOGIND_PATH)
            await until(lambda: inhibitors(logind) == set())
    assert "the user's words" not in caplog.text
    assert len(caplog.records) == 1


async def test_a_logind_that_is_started_anew_is_asked_for_the_delay_again(
    private_bus: PrivateBus,
) -> None:
    async with connected(private_bus.address) as bus:
        suspends = Suspends(bus, before=Night().before)
        with listening(suspends):
            logind = private_bus.mock("logind")
            await until(lambda: inhibitors(logind) == {DELAY})


async def test_caffeinate_runs_while_it_is_wanted(tmp_path: Path) -> None:
    program = tmp_path / "caffeinate.py"
    started = tmp_path / "started"
    program.write_text(
        "import os, pathlib, sys, time\n"
        f"new = pathlib.Path({str(tmp_path)!r}, 'new')\n"
        "new.write_text(' '.join([str(os.getpid()), *sys.argv[1:]]))\n"
        f"new.rename({str(started)!r})\n"
        "time.sleep(3600)\n"
    )
    awake = Caffeinate([sys.executable, str(program)])
    assert await awake.hold() is Awake.HELD
    await until(started.exists)
    process, *arguments = started.read_text().split()
    assert arguments == ["-w", str(os.getpid())]
    awake.release()
    assert awake.state is Awake.NOT_WANTED
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)
    assert await Caffeinate([str(tmp_path / "none")]).hold() is Awake.UNAVAILABLE
