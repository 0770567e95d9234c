"""The providers of a machine together: this one, and one that is made of files."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.conditions.bus import Bus
from daemon.conditions.presence_providers import presence_providers
from daemon.conditions.providers import Machine, connected_soon, machine_providers
from daemon.conditions.reading import NAMES, Attention, Provider
from daemon.config import ConditionSettings
from daemon.night_needs import NightNeeds
from tests.daemon.conditions.telling import Told, files, telling
from tests.private_bus import PrivateBus

OWN = {"power", "battery", "low_power", "temperature", "memory", "disk", "gpu"}
CORE = "sys/class/hwmon/hwmon0/temp1_input"


def the_providers(
    root: Path, *, attention: Attention | None = None, steady: Callable[[], float] | None = None
) -> tuple[Provider, ...]:
    machine = Machine(
        system=Bus(""),
        attention=attention or Attention(),
        vault=root,
        needs=lambda: NightNeeds(memory_bytes=1, adapter_bytes=1),
        engine=lambda: None,
        root=root,
        platform="linux",
        steady=steady or (lambda: 0.0),
    )
    return machine_providers(machine, ConditionSettings())


def named(providers: tuple[Provider, ...], name: str) -> Provider:
    return next(one for one in providers if name in one.names)


def test_every_condition_of_the_machine_has_exactly_one_provider(tmp_path: Path) -> None:
    names = [name for one in the_providers(tmp_path) for name in one.names]

    assert sorted(names) == sorted(OWN)
    assert set(NAMES) >= OWN


async def test_a_machine_with_nothing_of_all_that_can_work(tmp_path: Path) -> None:
    """As a virtual machine without a bus, sensors, batteries and cards."""
    (tmp_path / "sys/class/power_supply").mkdir(parents=True)
    told = Told()
    tasks = [asyncio.create_task(one.run(told)) for one in the_providers(tmp_path)]
    for name, value in {
        "power": "on AC",
        "battery": "no battery",
        "low_power": "no such mode here",
        "temperature": "no sensor",
        "gpu": "no NVIDIA card",
    }.items():
        assert (await told.until(name, value)).holds is True
    for name in ("memory", "disk"):
        await told.until(name)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)

    assert {one.name for one in told.all if one.holds} == OWN


async def test_a_processor_that_stays_hot_is_told_until_it_has_cooled_down(tmp_path: Path) -> None:
    attention, moments = Attention(), iter(range(0, 1000, 20))
    files(tmp_path, {"sys/class/hwmon/hwmon0/name": "coretemp", CORE: "60000"})
    provider = named(
        the_providers(tmp_path, attention=attention, steady=lambda: float(next(moments))),
        "temperature",
    )

    async with telling(provider) as told:
        seen = [(await told.until("temperature", "60 °C")).holds]
        for degrees in (90, 91, 80, 74):
            files(tmp_path, {CORE: f"{degrees}000"})
            last = await told.until("temperature")
            while last.value != f"{degrees} °C":
                attention.set(close=not attention.close)  # a look, once it waits for the next one
                await asyncio.sleep(0.001)
                last = await told.until("temperature")
            seen.append(last.holds)

    assert seen == [True, True, False, False, True]


async def test_a_bus_is_waited_for_only_where_it_may_come(
    tmp_path: Path, private_bus: PrivateBus
) -> None:
    await connected_soon(Bus(""), seconds=3600)
    await connected_soon(Bus(f"unix:path={tmp_path}/bus"), seconds=3600)
    slow = Bus(private_bus.address)
    await connected_soon(slow, seconds=0.01)  # nobody connects it
    task = asyncio.create_task(slow.run())
    await connected_soon(slow, seconds=3600)
    assert slow.connected
    task.cancel()
    await asyncio.wait({task})


@pytest.mark.parametrize("platform", ["darwin", "linux"])
def test_all_that_is_read_of_a_machine_is_read_once(tmp_path: Path, platform: str) -> None:
    machine = Machine(
        system=Bus(""),
        attention=Attention(),
        vault=tmp_path,
        needs=lambda: None,
        engine=lambda: None,
        root=tmp_path,
        platform=platform,
    )
    own = machine_providers(machine, ConditionSettings())
    people = presence_providers(
        system=Bus(""),
        session=Bus(""),
        idle_seconds=1,
        attention=Attention(),
        environ={},
        platform=platform,
    )

    names = [name for one in (*own, *people) for name in one.names]
    assert sorted(names) == sorted(set(NAMES) - {"window"})  # the hours are the decision's own
