"""Cool enough or not, and where that is read."""

from pathlib import Path

import pytest

from daemon.conditions import pmset, temperature_sensors
from daemon.conditions.temperature import (
    Heat,
    Sensed,
    temperature_reading,
    throttling_reading,
)
from tests.daemon.conditions.telling import files

HWMON, ZONES = "sys/class/hwmon", "sys/class/thermal"


def held(*course: tuple[float, float]) -> list[bool | None]:
    """What becomes of seconds and degrees, one look after the other, at a limit of 85."""
    heat, found = Heat(), []
    for now, celsius in course:
        sensed = Sensed(sensors=1, celsius=celsius)
        reading, heat = temperature_reading(sensed, limit=85, before=heat, now=now)
        found.append(reading.holds)
    return found


# --------------------------------------------------------------------------- what is made of it


def test_what_was_hot_has_to_become_ten_degrees_cooler() -> None:
    course = [(0, 60), (5, 86), (10, 88), (15, 88), (20, 84), (25, 76), (30, 75), (35, 84)]
    assert held(*course) == [True, True, True, False, False, False, True, True]


def test_a_moment_above_the_limit_is_borne() -> None:
    assert held((0, 60), (5, 92), (10, 80), (15, 92), (20, 80), (25, 91)) == [True] * 6


def test_far_above_the_limit_nothing_is_borne() -> None:
    assert held((0, 60), (5, 96)) == [True, False]


def test_a_machine_that_is_hot_at_the_first_look_is_hot() -> None:
    assert held((0, 86)) == [False]
    assert held((0, 85)) == [True]


def test_far_apart_looks_bear_no_longer_than_close_ones() -> None:
    assert held((0, 60), (60, 86), (120, 86)) == [True, True, False]


def test_a_sensor_that_is_gone_leaves_it_unknown_and_hot_as_it_was() -> None:
    hot = Heat(looked=True, hot=True)
    gone = Sensed(sensors=0, celsius=None)
    reading, heat = temperature_reading(gone, limit=85, before=hot, now=0)

    assert (reading.holds, heat) == (None, hot)


def test_a_machine_without_sensors_is_not_held_and_says_so() -> None:
    sensed = Sensed(sensors=0, celsius=None)
    reading, _ = temperature_reading(sensed, limit=85, before=Heat(), now=0)

    assert (reading.holds, reading.value) == (True, "no sensor")


def test_sensors_that_cannot_be_read_leave_it_unknown_and_what_was_hot_stays_hot() -> None:
    hot = Heat(looked=True, hot=True)
    silent = Sensed(sensors=2, celsius=None)
    reading, after = temperature_reading(silent, limit=85, before=hot, now=5)

    assert (reading.holds, reading.reason) == (None, "temperature_unknown")
    assert after == hot


def test_a_hot_machine_is_told_what_it_waits_for() -> None:
    sensed = Sensed(sensors=1, celsius=90.4)
    reading, _ = temperature_reading(sensed, limit=85, before=Heat(), now=0)

    assert (reading.value, reading.reason) == ("90 °C", "hot")
    assert reading.threshold == "at most 75 °C again"


# --------------------------------------------------------------------------- the kernel's files


@pytest.mark.parametrize(
    ("found", "sensors", "celsius"),
    [
        (
            {
                f"{HWMON}/hwmon0/name": "nvme",
                f"{HWMON}/hwmon0/temp1_input": "91000",  # a disk has its own limit
                f"{HWMON}/hwmon1/name": "coretemp",
                f"{HWMON}/hwmon1/temp1_input": "61000",
                f"{HWMON}/hwmon1/temp2_input": "63500",
                f"{HWMON}/hwmon1/temp2_crit": "100000",
                f"{ZONES}/thermal_zone0/type": "acpitz",
                f"{ZONES}/thermal_zone0/temp": "105000",
            },
            2,
            63.5,
        ),
        (
            {
                f"{HWMON}/hwmon0/name": "k10temp",
                f"{HWMON}/hwmon0/temp1_input": "95000",
                f"{HWMON}/hwmon0/temp1_label": "Tctl",
                f"{HWMON}/hwmon0/temp2_input": "68000",
                f"{HWMON}/hwmon0/temp2_label": "Tdie",
            },
            1,
            68.0,
        ),
        (
            {
                f"{HWMON}/hwmon0/name": "k10temp",
                f"{HWMON}/hwmon0/temp1_input": "70000",
                f"{HWMON}/hwmon0/temp1_label": "Tctl",
            },
            1,
            70.0,
        ),
        (
            {
                f"{ZONES}/thermal_zone0/type": "acpitz",
                f"{ZONES}/thermal_zone0/temp": "27800",
                f"{ZONES}/thermal_zone1/type": "x86_pkg_temp",
                f"{ZONES}/thermal_zone1/temp": "72000",
                f"{ZONES}/thermal_zone2/type": "iwlwifi_1",
                f"{ZONES}/thermal_zone2/temp": "88000",
                f"{ZONES}/cooling_device0/type": "Processor",
            },
            1,
            72.0,
        ),
        (
            {
                f"{ZONES}/thermal_zone0/type": "acpitz",
                f"{ZONES}/thermal_zone0/temp": "48000",
            },
            1,
            48.0,
        ),
        (
            {
                f"{ZONES}/thermal_zone0/type": "cpu-thermal",
                f"{ZONES}/thermal_zone0/temp": "-274000",
                f"{ZONES}/thermal_zone1/type": "soc-thermal",
                f"{ZONES}/thermal_zone1/temp": "",
            },
            2,
            None,
        ),
        ({}, 0, None),
    ],
)
def test_the_hottest_sensor_of_the_processor_counts(
    tmp_path: Path, found: dict[str, str], sensors: int, celsius: float | None
) -> None:
    root = files(tmp_path, found)

    assert temperature_sensors.read(root) == Sensed(sensors=sensors, celsius=celsius)


# --------------------------------------------------------------------------- macOS, recorded

NOTHING = """\
Note: No thermal warning level has been recorded
Note: No performance warning level has been recorded
"""
HELD_BACK = """\
2020-11-24 13:10:40 +0100 CPU Power notify
\tCPU_Scheduler_Limit \t= 100
\tCPU_Available_CPUs \t= 8
\tCPU_Speed_Limit \t= 35
"""


@pytest.mark.parametrize(
    ("said", "held_back", "holds"),
    [
        (NOTHING + "Note: No CPU power status has been recorded\n", "", True),
        (NOTHING + HELD_BACK, "processor held to 35 %", False),
        (NOTHING + HELD_BACK.replace("= 35", "= 100"), "", True),
        ("Thermal Warning Level = 2\n", "thermal warning 2", False),
        ("Thermal Warning Level = 0\n", "", True),
        ("usage: pmset\n", None, None),
    ],
)
def test_what_pmset_says_of_heat(said: str, held_back: str | None, holds: bool | None) -> None:
    assert pmset.throttling(said) == held_back
    assert throttling_reading(held_back).holds is holds
