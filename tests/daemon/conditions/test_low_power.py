"""Whether the user asked the machine to save power."""

from pathlib import Path

import pytest

from daemon.conditions import pmset
from daemon.conditions.bus import Bus
from daemon.conditions.looking import Every, Looking
from daemon.conditions.low_power import LinuxProfile, mac_look, reading_of
from daemon.conditions.reading import Attention
from tests.daemon.conditions.telling import files, telling
from tests.private_bus import PrivateBus

PLATFORM = "sys/firmware/acpi/platform_profile"
HADESS = "net.hadess.PowerProfiles"
NEW, NEW_PATH = "org.freedesktop.UPower.PowerProfiles", "/org/freedesktop/UPower/PowerProfiles"


def provider(bus: Bus, root: Path) -> Looking:
    profile = LinuxProfile(bus, root)
    every = Every(close_seconds=60, far_seconds=60)
    return Looking(
        ("low_power",), profile.look, Attention(), every=lambda: every, listen=profile.listen
    )


@pytest.mark.parametrize(
    ("profile", "holds"),
    [
        ("power-saver", False),
        ("low-power", False),
        ("quiet", True),  # less noise, not less power
        ("balanced", True),
        ("performance", True),
        (None, True),  # a machine that has no such mode
    ],
)
def test_only_a_mode_that_saves_power_holds_a_night(profile: str | None, holds: bool) -> None:
    reading = reading_of(profile)

    assert reading.holds is holds
    assert (reading.reason == "low_power") is (not holds)


async def test_the_power_saver_of_the_desktop_is_heard_of(
    tmp_path: Path, private_bus: PrivateBus
) -> None:
    profiles = private_bus.mock("power_profiles_daemon")
    bus = Bus(private_bus.address)

    async with telling(provider(bus, tmp_path), bus) as told:
        assert (await told.until("low_power", "balanced")).holds is True
        profiles.update(HADESS, {"ActiveProfile": ("s", "power-saver")})
        assert (await told.until("low_power", "power-saver")).holds is False
        profiles.update(HADESS, {"ActiveProfile": ("s", "performance")})
        assert (await told.until("low_power", "performance")).holds is True


async def test_the_service_under_its_newer_name_comes_first(
    tmp_path: Path, private_bus: PrivateBus
) -> None:
    newer = private_bus.mock_of(NEW, NEW_PATH, NEW)
    newer.call("AddProperty", "ssv", NEW, "ActiveProfile", ("s", "power-saver"))
    files(tmp_path, {PLATFORM: "balanced"})
    bus = Bus(private_bus.address)

    async with telling(provider(bus, tmp_path), bus) as told:
        await told.until("low_power", "power-saver")
        newer.close()  # uninstalled: then the firmware's own counts
        await told.until("low_power", "balanced")


async def test_a_profile_that_was_known_and_is_out_of_reach_is_unknown(
    tmp_path: Path, private_bus: PrivateBus
) -> None:
    private_bus.mock("power_profiles_daemon")
    bus = Bus(private_bus.address)

    async with telling(provider(bus, tmp_path), bus) as told:
        await told.until("low_power", "balanced")
        private_bus.stop()
        lost = await told.until("low_power", "not known")

    assert (lost.holds, lost.reason) == (None, "low_power_unknown")


async def test_without_a_bus_the_firmware_says_it_or_nobody(tmp_path: Path) -> None:
    async with telling(provider(Bus(""), tmp_path)) as told:
        assert (await told.until("low_power", "no such mode here")).holds is True

    files(tmp_path, {PLATFORM: "low-power"})
    async with telling(provider(Bus(""), tmp_path)) as told:
        assert (await told.until("low_power", "low-power")).holds is False


# --------------------------------------------------------------------------- macOS, recorded

SETTINGS = """\
System-wide power settings:
Currently in use:
 standby              1
 Sleep On Power Button 1
 lowpowermode         {}
 displaysleep         10
 sleep                1 (sleep prevented by powerd, bluetoothd)
"""


@pytest.mark.parametrize(
    ("said", "on"),
    [
        (SETTINGS.format(1), True),
        (SETTINGS.format(0), False),
        (SETTINGS.format(1).replace("lowpowermode", "powermode   "), True),
        (SETTINGS.format(2).replace("lowpowermode", "powermode   "), False),  # more, not less
        ("System-wide power settings:\nCurrently in use:\n sleep                0\n", False),
        ("pmset: unrecognised option\n", None),
    ],
)
def test_what_pmset_says_of_low_power_mode(said: str, on: bool | None) -> None:
    assert pmset.parse_low_power(said) is on


@pytest.mark.parametrize(("on", "holds"), [(True, False), (False, True), (None, None)])
async def test_low_power_mode_of_a_mac_holds_a_night(on: bool | None, holds: bool | None) -> None:
    async def ask() -> bool | None:
        return on

    (reading,) = await mac_look(ask)()

    assert reading.holds is holds
