"""The connection to a bus: what is asked, what is heard, and what happens when it goes away."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.conditions.bus import Bus, BusGone, BusRefused, Signal, variant
from tests.private_bus import Mock, PrivateBus

NAME = "org.example.Lamp"
PATH = "/org/example/Lamp"


@asynccontextmanager
async def running(bus: Bus) -> AsyncIterator["asyncio.Queue[bool]"]:
    """Connects, and gives the queue of what happens to the connection from then on."""
    changes: asyncio.Queue[bool] = asyncio.Queue()
    bus.on_change(changes.put_nowait)
    task = asyncio.create_task(bus.run())
    try:
        yield changes
    finally:
        task.cancel()
        await asyncio.wait({task})


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def a_lamp(bus: PrivateBus) -> Mock:
    return bus.mock_of(NAME, PATH, NAME)


async def test_an_answer_comes_without_variants(private_bus: PrivateBus) -> None:
    lamp = a_lamp(private_bus)
    lamp.add_method("Dim", "sv", "a{sv}", 'ret = {args[0]: args[1], "on": True}')
    bus = Bus(private_bus.address)
    async with running(bus) as changes:
        assert await changes.get()
        asked = ("Dim", "sv", "to", variant("u", 7))
        assert await bus.call(NAME, PATH, NAME, *asked) == ({"to": 7, "on": True},)
        with pytest.raises(BusRefused) as refused:
            await bus.call(NAME, PATH, NAME, "Explode")
        assert refused.value.name == "org.freedesktop.DBus.Error.UnknownMethod"
        assert await bus.owned(NAME)
        assert not await bus.owned("org.example.Nobody")


async def test_a_file_descriptor_is_the_callers(private_bus: PrivateBus) -> None:
    private_bus.mock("logind")
    bus = Bus(private_bus.address)
    async with running(bus) as changes:
        assert await changes.get()
        (held,) = await bus.call(
            "org.freedesktop.login1",
            "/org/freedesktop/login1",
            "org.freedesktop.login1.Manager",
            "Inhibit",
            "ssss",
            *("sleep", "nightloom", "a night", "block"),
        )
        os.fstat(held)
        os.close(held)


async def test_who_does_not_answer_in_time_is_gone(private_bus: PrivateBus) -> None:
    lamp = a_lamp(private_bus)
    lamp.add_method("Wait", "", "", "import time; time.sleep(3600)")
    bus = Bus(private_bus.address)
    async with running(bus) as changes:
        assert await changes.get()
        with pytest.raises(BusGone):
            await bus.call(NAME, PATH, NAME, "Wait", seconds=0.01)


async def test_without_a_connection_nothing_is_asked(private_bus: PrivateBus) -> None:
    with pytest.raises(BusGone):
        await Bus(private_bus.address).call(NAME, PATH, NAME, "Dim")


async def test_a_bus_that_goes_and_comes_back_is_heard_again(private_bus: PrivateBus) -> None:
    heard: asyncio.Queue[Signal] = asyncio.Queue()
    there: asyncio.Queue[bool] = asyncio.Queue()
    bus = Bus(private_bus.address, again_seconds=0.01)
    await bus.subscribe(NAME, "Blinked", heard.put_nowait, sender=NAME)
    await bus.watch_owner(NAME, there.put_nowait)
    async with running(bus) as changes:
        assert await changes.get()
        assert not await there.get()
        for stale in (True, False):  # a socket that nobody listens on, and none
            lamp = a_lamp(private_bus)
            assert await there.get()
            lamp.emit(NAME, "Blinked", "u", 3)
            assert (await heard.get()).body == (3,)

            private_bus.stop(leave_socket=stale)
            while await there.get():
                pass  # the lamp may have gone before the bus
            while await changes.get():
                pass
            assert not bus.connected
            with pytest.raises(BusGone):
                await bus.owned(NAME)
            private_bus.start()
            assert await changes.get()
            while not there.empty():
                assert not there.get_nowait()
        assert heard.empty()


async def test_a_signal_counts_only_from_the_one_who_has_the_name(private_bus: PrivateBus) -> None:
    a_lamp(private_bus)
    other = private_bus.mock_of("org.example.Liar", "/org/example/Liar", "org.example.Liar")
    heard: list[Signal] = []
    all_heard: asyncio.Queue[Signal] = asyncio.Queue()
    bus = Bus(private_bus.address)
    async with running(bus) as changes:
        assert await changes.get()
        await bus.subscribe(NAME, "Blinked", heard.append, sender=NAME)
        await bus.subscribe(NAME, "Blinked", all_heard.put_nowait)
        other.emit(NAME, "Blinked", "u", 3)
        assert (await all_heard.get()).path == "/org/example/Liar"
        assert heard == []


async def test_who_goes_while_an_answer_is_under_way_is_not_there(
    private_bus: PrivateBus,
) -> None:
    there: asyncio.Queue[bool] = asyncio.Queue()
    lamp = a_lamp(private_bus)

    class Slow(Bus):
        async def _owner(self, name: str) -> str:
            owner = await super()._owner(name)
            lamp.close()
            assert not await there.get()
            return owner

    bus = Slow(private_bus.address)
    async with running(bus) as changes:
        assert await changes.get()
        await bus.watch_owner(NAME, there.put_nowait)
        assert there.empty()


async def test_a_bus_that_did_not_answer_is_connected_to_anew(private_bus: PrivateBus) -> None:
    there: asyncio.Queue[bool] = asyncio.Queue()
    a_lamp(private_bus)
    silent = [True]

    class Silent(Bus):
        async def _owner(self, name: str) -> str:
            if silent:
                silent.pop()
                raise BusGone
            return await super()._owner(name)

    bus = Silent(private_bus.address, again_seconds=0.01)
    await bus.watch_owner(NAME, there.put_nowait)
    async with running(bus):
        while not await there.get():
            pass


async def test_a_listener_that_fails_does_not_deafen_the_others(
    private_bus: PrivateBus, caplog: pytest.LogCaptureFixture
) -> None:
    lamp = a_lamp(private_bus)
    heard: asyncio.Queue[Signal] = asyncio.Queue()

    def failing(signal: Signal) -> None:
        raise ValueError(f"a secret: {signal.body}")

    bus = Bus(private_bus.address)
    async with running(bus) as changes:
        assert await changes.get()
        await bus.subscribe(NAME, "Blinked", failing, path=PATH)
        await bus.subscribe(NAME, "Blinked", heard.put_nowait, path=PATH)
        lamp.emit(NAME, "Blinked", "s", "the user's words")
        assert (await heard.get()).body == ("the user's words",)
    assert "the user's words" not in caplog.text
    assert "ValueError" in caplog.text


@pytest.mark.parametrize("address", ["", "tcp:host=127.0.0.1,port=1", "nonsense"])
async def test_no_bus_at_all_is_waited_for_quietly(address: str) -> None:
    bus = Bus(address)
    async with running(bus):
        for _ in range(100):
            await asyncio.sleep(0)
        assert not bus.connected
        assert bus.absent


async def test_a_bus_that_was_there_and_went_is_not_absent(private_bus: PrivateBus) -> None:
    bus = Bus(private_bus.address)
    assert not bus.absent  # not tried yet, and somebody may listen
    async with running(bus) as changes:
        assert await changes.get()
        private_bus.stop()
        assert not await changes.get()
        assert not bus.absent
    assert Bus(private_bus.address).absent


async def test_a_program_without_its_answer_leaves_no_file_descriptor(
    private_bus: PrivateBus,
) -> None:
    lamp = a_lamp(private_bus)
    lamp.add_method("Late", "", "h", "import os, time; time.sleep(0.3); ret = os.pipe()[0]")
    lamp.add_method("Dim", "", "", "")
    bus = Bus(private_bus.address)
    async with running(bus) as changes:
        assert await changes.get()
        before = open_files()
        with pytest.raises(BusGone):
            await bus.call(NAME, PATH, NAME, "Late", seconds=0.01)
        await bus.call(NAME, PATH, NAME, "Dim", seconds=60)  # answered after it
        await asyncio.sleep(0)
        assert open_files() == before
