"""The providers of presence as they run in the service, and the terminals without logind."""

import asyncio
import os
import pty
import time
from pathlib import Path

from daemon.conditions.bus import Bus
from daemon.conditions.presence_providers import presence_providers
from daemon.conditions.presence_sessions import SESSION
from daemon.conditions.presence_terminals import last_at_a_terminal
from daemon.conditions.printed import printed
from daemon.conditions.reading import Attention, Reading
from tests.daemon.conditions.seeing import connected
from tests.private_bus import PrivateBus


async def test_the_providers_tell_at_each_change(private_bus: PrivateBus, tmp_path: Path) -> None:
    logind = private_bus.mock("logind")
    told: asyncio.Queue[Reading] = asyncio.Queue()
    async with connected(private_bus.address) as bus:
        providers = presence_providers(
            system=bus,
            session=Bus(""),
            idle_seconds=900.0,
            attention=Attention(),
            environ={"HOME": str(tmp_path)},
        )
        assert [one.names for one in providers] == [("presence",), ("inhibited",)]
        tasks = [asyncio.create_task(one.run(told.put_nowait)) for one in providers]
        first = {(one.name, one.holds) for one in [await told.get(), await told.get()]}
        assert first == {("presence", True), ("inhibited", True)}

        logind.call("AddSession", "ssusb", "c1", "seat0", os.getuid(), "somebody", True)
        (path,) = logind.call("GetSession", "s", "c1", interface="org.freedesktop.login1.Manager")
        logind.update(SESSION, {"Type": ("s", "wayland")}, path=path)
        reading = await told.get()
        assert (reading.name, reading.holds, reading.reason) == ("presence", False, "user_present")
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def test_a_mac_is_asked_its_own_way(tmp_path: Path) -> None:
    providers = presence_providers(
        system=Bus(""), session=Bus(""), idle_seconds=900.0, attention=Attention(),
        environ={}, platform="darwin",
    )  # fmt: skip
    assert [one.names for one in providers] == [("presence", "inhibited")]


def test_input_at_a_terminal_shows_in_its_device(tmp_path: Path) -> None:
    assert last_at_a_terminal(tmp_path) is None
    ours, theirs = pty.openpty()
    try:
        os.utime(os.ttyname(theirs), (1.0, 1.0))  # long ago
        os.write(ours, b"typed\n")
        os.read(theirs, 100)
        last = last_at_a_terminal()
        assert last is not None
        assert abs(last - time.time()) < 60  # the kernel keeps it to eight seconds
    finally:
        os.close(ours)
        os.close(theirs)


async def test_a_program_that_fails_prints_nothing() -> None:
    assert await printed(("/bin/echo", "said")) == "said\n"
    assert await printed(("/bin/false",)) is None
    assert await printed(("/no/such/program",)) is None
