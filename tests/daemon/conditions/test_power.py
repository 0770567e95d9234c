"""Plugged in or not, charged enough or not: what is made of what the system says."""

from pathlib import Path

import pytest

from daemon.conditions import pmset, power_supply
from daemon.conditions.power import Charge, Power, battery_reading, power_reading
from daemon.conditions.power_upower import power_of
from tests.daemon.conditions.telling import files

SUPPLIES = "sys/class/power_supply"
BATTERY = {"type": "Battery", "scope": "System", "present": "1"}
MAINS = {"type": "Mains"}
USB = {"type": "USB"}
MOUSE = {"type": "Battery", "scope": "Device", "capacity": "5", "status": "Discharging"}


def supplies(*found: dict[str, str]) -> Power:
    return power_supply.power_of(found)


# --------------------------------------------------------------------------- what is made of it


@pytest.mark.parametrize(
    ("power", "holds", "reason"),
    [
        (Power(on_ac=True), True, ""),
        (Power(on_ac=False), False, "on_battery"),
        (Power(), None, "power_unknown"),
    ],
)
def test_only_a_plug_that_is_known_to_be_in_lets_a_night_work(
    power: Power, holds: bool | None, reason: str
) -> None:
    reading = power_reading(power)

    assert (reading.holds, reading.reason) == (holds, reason)
    assert bool(reading.advice) is (holds is not True)


@pytest.mark.parametrize(
    ("power", "holds", "value"),
    [
        (Power(has_battery=False), True, "no battery"),
        (Power(has_battery=True, percent=50.0), True, "50 %"),
        (Power(has_battery=True, percent=49.9), False, "49 %"),
        (Power(has_battery=True), None, "not known"),
        (Power(), None, "not known"),
    ],
)
def test_the_battery_has_to_be_charged_also_when_plugged_in(
    power: Power, holds: bool | None, value: str
) -> None:
    reading, _ = battery_reading(power, floor=50, before=Charge())

    assert (reading.holds, reading.value) == (holds, value)


def test_a_battery_around_its_floor_does_not_stop_and_start_a_night_at_every_percent() -> None:
    charge, held = Charge(), []
    for percent in (51, 49, 50, 52, 53, 51, 50, 49):
        power = Power(has_battery=True, percent=percent, charging=True)
        reading, charge = battery_reading(power, floor=50, before=charge)
        held.append(reading.holds)

    assert held == [True, False, False, False, True, True, True, False]


def test_a_battery_that_is_charged_no_further_needs_the_floor_and_no_more() -> None:
    power = Power(has_battery=True, percent=80, charging=False)

    reading, _ = battery_reading(power, floor=80, before=Charge(low=True))

    assert reading.holds is True


# --------------------------------------------------------------------------- the kernel


@pytest.mark.parametrize(
    ("found", "on_ac"),
    [
        ([], True),  # a desktop, or a virtual machine
        (
            [{**MAINS, "online": "0"}],
            True,
        ),  # a laptop without its battery runs, so it is plugged in
        ([MOUSE], True),
        ([{**MAINS, "online": "1"}, {**BATTERY, "status": "Charging"}], True),
        ([{**MAINS, "online": "1"}, {**BATTERY, "status": "Discharging"}], True),  # being cared for
        ([{**MAINS, "online": "0"}, {**BATTERY, "status": "Discharging"}], False),
        ([{**MAINS, "online": "0"}, {**BATTERY, "status": "Unknown"}], False),
        ([{**USB, "online": "1"}, {**BATTERY, "status": "Charging"}], True),
        ([{**USB, "online": "1"}, {**BATTERY, "status": "Not charging"}], True),
        ([{**USB, "online": "1"}, {**BATTERY, "status": "Discharging"}], False),  # charges a phone
        ([{**BATTERY, "status": "Full"}], True),
        ([{**BATTERY, "status": "Discharging"}], False),
        ([{**BATTERY, "status": "Unknown"}], None),
        ([{**BATTERY, "present": "0"}], True),  # an empty bay
        ([{"type": "UPS", "status": "Discharging", "capacity": "90"}], False),
    ],
)
def test_the_kernel_says_whether_the_plug_is_in(
    found: list[dict[str, str]], on_ac: bool | None
) -> None:
    assert supplies(*found).on_ac is on_ac


@pytest.mark.parametrize(
    ("found", "percent"),
    [
        ([{"capacity": "73"}], 73.0),
        ([{"energy_now": "30", "energy_full": "40", "capacity": "70"}], 75.0),
        ([{"charge_now": "41", "charge_full": "40"}], 100.0),
        (
            [{"energy_now": "10", "energy_full": "20"}, {"energy_now": "80", "energy_full": "80"}],
            90,
        ),
        ([{"energy_now": "10", "energy_full": "20", "capacity": "50"}, {"capacity": "100"}], 75.0),
        ([{"capacity": "50"}, {}], None),
        ([{"capacity": "?"}], None),
        ([{"energy_now": "10", "energy_full": "0"}], None),
    ],
)
def test_batteries_are_counted_together(found: list[dict[str, str]], percent: float | None) -> None:
    assert supplies(*({**BATTERY, **one} for one in found)).percent == percent


def test_a_laptop_is_read_from_its_files(tmp_path: Path) -> None:
    files(
        tmp_path,
        {
            f"{SUPPLIES}/AC/type": "Mains",
            f"{SUPPLIES}/AC/online": "0",
            f"{SUPPLIES}/BAT0/type": "Battery",
            f"{SUPPLIES}/BAT0/status": "Discharging",
            f"{SUPPLIES}/BAT0/capacity": "64",
            f"{SUPPLIES}/hidpp_battery_0/type": "Battery",
            f"{SUPPLIES}/hidpp_battery_0/scope": "Device",
            "proc/acpi/button/lid/LID0/state": "state:      closed",
        },
    )

    assert power_supply.read(tmp_path) == Power(
        on_ac=False, has_battery=True, percent=64.0, lid_closed=True
    )


def test_a_system_without_the_folder_says_nothing(tmp_path: Path) -> None:
    assert power_supply.read(tmp_path) is None
    assert power_supply.read_lid(tmp_path) is None


# --------------------------------------------------------------------------- UPower


@pytest.mark.parametrize(
    ("main", "device", "power"),
    [
        (
            {"OnBattery": True, "LidIsPresent": True, "LidIsClosed": True},
            {"IsPresent": True, "Percentage": 61.0, "State": 2},
            Power(on_ac=False, has_battery=True, percent=61.0, lid_closed=True),
        ),
        (
            {"OnBattery": False, "LidIsPresent": False, "LidIsClosed": False},
            {"IsPresent": False, "Percentage": 0.0, "State": 0},
            Power(on_ac=True, has_battery=False),
        ),
        (
            {"OnBattery": False},
            {"IsPresent": True, "Percentage": 61, "State": 1},
            Power(on_ac=True, has_battery=True, percent=61.0, charging=True),
        ),
        ({}, {"IsPresent": True}, None),
        ({"OnBattery": "no"}, {"IsPresent": True}, None),
        ({"OnBattery": False}, {}, None),
    ],
)
def test_what_upower_says_is_understood_or_nothing(
    main: dict[str, object], device: dict[str, object], power: Power | None
) -> None:
    assert power_of(main, device) == power


# --------------------------------------------------------------------------- macOS, recorded

CHARGING = """\
Now drawing from 'AC Power'
 -InternalBattery-0 (id=6094947)\t92%; charging; 0:44 remaining present: true
"""
CHARGED = """\
Now drawing from 'AC Power'
 -InternalBattery-0 (id=3735651)\t97%; charged; 0:00 remaining present: true
"""
DRAINED = """\
Now drawing from 'Battery Power'
 -InternalBattery-0 (id=3735651)\t57%; discharging; (no estimate) present: true
"""
NOT_CHARGED = """\
Now drawing from 'AC Power'
 -InternalBattery-0 (id=4653155)\t80%; AC attached; not charging present: true
"""
DESKTOP = "Now drawing from 'AC Power'\n"


@pytest.mark.parametrize(
    ("said", "power"),
    [
        (CHARGING, Power(on_ac=True, has_battery=True, percent=92.0, charging=True)),
        (CHARGED, Power(on_ac=True, has_battery=True, percent=97.0)),
        (DRAINED, Power(on_ac=False, has_battery=True, percent=57.0)),
        (NOT_CHARGED, Power(on_ac=True, has_battery=True, percent=80.0)),
        (DESKTOP, Power(on_ac=True, has_battery=False)),
        ("Now drawing from 'Moonlight'\n -InternalBattery-0 (id=1)\t?\n", Power(has_battery=True)),
        ("pmset: unrecognised option\n", None),
    ],
)
def test_what_pmset_says_of_batteries(said: str, power: Power | None) -> None:
    assert pmset.parse_batteries(said) == power


async def test_a_system_without_pmset_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pmset, "PMSET", "/nowhere/pmset")

    assert await pmset.power() is None
    assert await pmset.low_power() is None
    assert await pmset.throttled() is None


async def test_pmset_is_asked_as_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "pmset"
    program.write_text(f'#!/bin/sh\ntest "$*" = "-g batt" && cat <<END\n{DRAINED}END\n')
    program.chmod(0o700)
    monkeypatch.setattr(pmset, "PMSET", str(program))

    assert await pmset.power() == Power(on_ac=False, has_battery=True, percent=57.0)
    assert await pmset.low_power() is None  # it fails
