"""Power, as a real UPower mock on a real bus tells it, and what is done when there is none."""

from pathlib import Path

from daemon.conditions.bus import Bus
from daemon.conditions.providers import Machine, machine_providers
from daemon.conditions.reading import Attention, Provider
from daemon.config import ConditionSettings
from tests.daemon.conditions.telling import files, telling
from tests.private_bus import Mock, PrivateBus

UPOWER = "org.freedesktop.UPower"
DEVICE = "/org/freedesktop/UPower/devices/DisplayDevice"
EMPTY = "sys/class/power_supply/.keep"


def power_provider(root: Path, bus: Bus, attention: Attention | None = None) -> Provider:
    machine = Machine(
        system=bus,
        attention=attention or Attention(),
        vault=root,
        needs=lambda: None,
        engine=lambda: None,
        root=root,
        platform="linux",
    )
    found = machine_providers(machine, ConditionSettings())
    return next(one for one in found if "power" in one.names)


def a_laptop(bus: PrivateBus, percent: float, *, on_battery: bool = False) -> Mock:
    upower = bus.mock("upower", OnBattery=on_battery)
    state = 2 if on_battery else 1
    upower.call(
        "SetupDisplayDevice", "uuddddxxbsu", 2, state, percent, 0.0, 0.0, 0.0, 0, 0, True, "", 1
    )
    return upower


async def test_the_plug_is_pulled_and_put_back(tmp_path: Path, private_bus: PrivateBus) -> None:
    upower = a_laptop(private_bus, 80.0)
    bus = Bus(private_bus.address)
    provider = power_provider(tmp_path, bus)

    async with telling(provider, bus) as told:
        await told.until("power", "on AC")
        upower.update(UPOWER, {"OnBattery": ("b", True)})
        pulled = await told.until("power", "on battery")
        upower.update(UPOWER, {"OnBattery": ("b", False)})
        await told.until("power", "on AC")
        upower.update(UPOWER, {"LidIsClosed": ("b", True)})
        assert (await told.until("power", "on AC, lid closed")).holds is True

    assert (pulled.holds, pulled.reason) == (False, "on_battery")
    battery = told.last("battery")
    assert battery is not None
    assert battery.value == "80 %"


async def test_a_battery_that_falls_below_its_floor_ends_the_work(
    tmp_path: Path, private_bus: PrivateBus
) -> None:
    upower = a_laptop(private_bus, 51.0)
    bus = Bus(private_bus.address)
    provider = power_provider(tmp_path, bus)

    async with telling(provider, bus) as told:
        assert (await told.until("battery", "51 %")).holds is True
        upower.update(f"{UPOWER}.Device", {"Percentage": ("d", 48.0)}, path=DEVICE)
        fallen = await told.until("battery", "48 %")

    assert (fallen.holds, fallen.reason) == (False, "battery_low")


async def test_a_desktop_has_no_battery_and_is_on_ac(
    tmp_path: Path, private_bus: PrivateBus
) -> None:
    private_bus.mock("upower", LidIsPresent=False)
    bus = Bus(private_bus.address)
    provider = power_provider(tmp_path, bus)

    async with telling(provider, bus) as told:
        assert (await told.until("power", "on AC")).holds is True
        assert (await told.until("battery", "no battery")).holds is True


async def test_without_upower_the_kernel_is_asked_until_upower_comes(
    tmp_path: Path, private_bus: PrivateBus
) -> None:
    files(tmp_path, {EMPTY: ""})
    (tmp_path / EMPTY).unlink()
    bus = Bus(private_bus.address)
    provider = power_provider(tmp_path, bus)

    async with telling(provider, bus) as told:
        assert (await told.until("battery", "no battery")).holds is True
        a_laptop(private_bus, 70.0, on_battery=True)
        await told.until("power", "on battery")
        await told.until("battery", "70 %")


async def test_a_bus_that_goes_away_leaves_the_kernel_and_comes_back(
    tmp_path: Path, private_bus: PrivateBus
) -> None:
    supply = "sys/class/power_supply"
    files(
        tmp_path,
        {
            f"{supply}/BAT0/type": "Battery",
            f"{supply}/BAT0/status": "Discharging",
            f"{supply}/BAT0/capacity": "77",
        },
    )
    a_laptop(private_bus, 80.0)
    bus = Bus(private_bus.address, again_seconds=0.01)
    provider = power_provider(tmp_path, bus)

    async with telling(provider, bus) as told:
        await told.until("battery", "80 %")
        private_bus.stop()
        await told.until("battery", "77 %")
        assert (await told.until("power", "on battery")).holds is False
        private_bus.start()
        a_laptop(private_bus, 81.0)
        await told.until("battery", "81 %")
        await told.until("power", "on AC")


async def test_where_nobody_says_it_power_is_unknown(tmp_path: Path) -> None:
    bus = Bus("")
    provider = power_provider(tmp_path, bus)

    async with telling(provider, bus) as told:
        unknown = await told.until("power", "not known")
        assert unknown.holds is None
        assert unknown.reason == "power_unknown"
        assert (await told.until("battery", "not known")).holds is None


async def test_without_events_the_kernel_is_looked_at_again(tmp_path: Path) -> None:
    plug = "sys/class/power_supply/AC/online"
    files(
        tmp_path,
        {
            plug: "1",
            "sys/class/power_supply/AC/type": "Mains",
            "sys/class/power_supply/BAT0/type": "Battery",
            "sys/class/power_supply/BAT0/capacity": "90",
        },
    )
    bus, attention = Bus(""), Attention()
    provider = power_provider(tmp_path, bus, attention)

    async with telling(provider, bus) as told:
        await told.until("power", "on AC")
        files(tmp_path, {plug: "0"})
        attention.set(close=True)  # a look, without waiting for the next one
        await told.until("power", "on battery")
