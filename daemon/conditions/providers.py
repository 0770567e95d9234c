"""Who reads which condition of the machine, here. Wires, and does nothing else.

What people do at it is `presence_providers.py`.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.conditions import (
    gpu,
    low_power,
    nvml,
    pmset,
    power,
    power_supply,
    power_upower,
    room,
    temperature,
    temperature_sensors,
)
from daemon.conditions.aside import aside
from daemon.conditions.bus import Bus
from daemon.conditions.looking import Every, Look, Looking, Ring
from daemon.conditions.power_watching import ASKED, LOOKED_AT, TOLD, PowerWatching, Source
from daemon.conditions.reading import Attention, Provider, Reading
from daemon.config import ConditionSettings
from daemon.disk_room import read_room
from daemon.memory_reading import available_bytes, machine_bytes, private_bytes
from daemon.night_needs import Needs

PROFILES = Every(close_seconds=60.0, far_seconds=600.0)
HEAT = Every(close_seconds=5.0, far_seconds=60.0)
MEMORY = Every(close_seconds=5.0, far_seconds=60.0)
DISK = Every(close_seconds=30.0, far_seconds=300.0)
CARDS = Every(close_seconds=15.0, far_seconds=300.0)  # opening the driver may take a second
CONNECT_SECONDS = 2.0  # for which the bus is waited for, before the kernel is asked alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the providers look at; tests give others.

    Args:
        system: the system's bus.
        vault: a folder on the disk that a night writes to.
        needs: what a night takes.
        engine: the id of the engine's process, while there is one.
        root: where /sys and /proc are.
        platform: as `sys.platform`.
        steady: seconds by a clock that nobody sets.
    """

    system: Bus
    attention: Attention
    vault: Path
    needs: Needs
    engine: Callable[[], int | None]
    root: Path = Path("/")
    platform: str = sys.platform
    steady: Callable[[], float] = time.monotonic


def machine_providers(machine: Machine, settings: ConditionSettings) -> tuple[Provider, ...]:
    """Those of power, battery, low_power, temperature, memory, disk and gpu."""
    watching = _power_watching(machine, settings)
    mac = machine.platform == "darwin"

    def looking(
        names: tuple[str, ...],
        look: Look,
        every: Callable[[], Every],
        listen: Callable[[Ring], Awaitable[None]] | None = None,
    ) -> Provider:
        return Looking(names, look, machine.attention, every=every, listen=listen)

    profile = low_power.LinuxProfile(machine.system, machine.root)
    return (
        looking(
            power.NAMES,
            watching.look,
            watching.every,
            None if mac else lambda ring: _listen_to_power(machine, ring),
        ),
        looking(
            low_power.NAMES,
            low_power.mac_look(pmset.low_power) if mac else profile.look,
            lambda: ASKED if mac else PROFILES,
            None if mac else lambda ring: _listen_to_profiles(machine, profile, ring),
        ),
        looking(
            temperature.NAMES,
            _mac_heat if mac else _heat(machine, settings.max_celsius),
            lambda: HEAT,
        ),
        looking(("memory",), _memory(machine), lambda: MEMORY),
        looking(("disk",), _disk(machine), lambda: DISK),
        looking(gpu.NAMES, _cards(machine), lambda: CARDS),
    )


async def connected_soon(bus: Bus, seconds: float = CONNECT_SECONDS) -> None:
    """Until the bus is connected; not for long, and not where there is none."""
    if bus.connected or not bus.may_come():
        return
    there = asyncio.Event()
    bus.on_change(lambda connected: there.set() if connected else None)
    try:
        async with asyncio.timeout(seconds):
            await there.wait()
    except TimeoutError:
        return


def _power_watching(machine: Machine, settings: ConditionSettings) -> PowerWatching:
    async def upower() -> power.Power | None:
        return await power_upower.read(machine.system)

    async def kernel() -> power.Power | None:
        return await aside(power_supply.read, machine.root)

    if machine.platform == "darwin":
        sources = [Source(read=pmset.power, every=ASKED)]
    else:
        sources = [Source(read=upower, every=TOLD), Source(read=kernel, every=LOOKED_AT)]
    return PowerWatching(sources, floor=settings.battery_floor_percent)


async def _listen_to_power(machine: Machine, ring: Ring) -> None:
    await power_upower.listen(machine.system, ring)
    await connected_soon(machine.system)


async def _listen_to_profiles(
    machine: Machine, profile: low_power.LinuxProfile, ring: Ring
) -> None:
    await profile.listen(ring)
    await connected_soon(machine.system)


def _heat(machine: Machine, limit: float) -> Look:
    before = temperature.Heat()

    async def look() -> tuple[Reading, ...]:
        nonlocal before
        sensed = await aside(temperature_sensors.read, machine.root)
        reading, before = temperature.temperature_reading(
            sensed, limit=limit, before=before, now=machine.steady()
        )
        return (reading,)

    return look


async def _mac_heat() -> tuple[Reading, ...]:
    return (temperature.throttling_reading(await pmset.throttled()),)


def _memory(machine: Machine) -> Look:
    def read() -> Reading:
        pid = machine.engine()
        return room.memory_reading(
            machine.needs(),
            available=available_bytes(),
            of_engine=0 if pid is None else private_bytes(pid),
            machine=machine_bytes(),
            works=machine.attention.close,
        )

    return _in_a_thread(read)


def _disk(machine: Machine) -> Look:
    def read() -> Reading:
        free = read_room(machine.vault).free_bytes
        return room.disk_reading(machine.needs(), free=free, works=machine.attention.close)

    return _in_a_thread(read)


def _cards(machine: Machine) -> Look:
    def read() -> Reading:
        own = {os.getpid(), machine.engine() or 0}
        return gpu.gpu_reading(nvml.read(machine.root, own))

    return _in_a_thread(read)


def _in_a_thread(read: Callable[[], Reading]) -> Look:
    async def look() -> tuple[Reading, ...]:
        return (await aside(read),)

    return look
