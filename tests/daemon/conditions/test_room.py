"""Memory, disk and graphics card: enough for a night, and left alone by others."""

from ctypes.util import find_library
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from daemon.conditions.gpu import Cards, gpu_reading
from daemon.conditions.nvml import all_rest, cards_of, read
from daemon.conditions.room import amount, disk_reading, memory_reading
from daemon.disk_room import FULL_BELOW_BYTES
from daemon.night_needs import NightNeeds
from tests.daemon.conditions.telling import files

GIB = 1 << 30
NEEDS = NightNeeds(memory_bytes=4 * GIB, adapter_bytes=GIB)


# --------------------------------------------------------------------------- memory


@pytest.mark.parametrize(
    ("available", "of_engine", "works", "holds"),
    [
        (4 * GIB, 0, False, True),
        (4 * GIB - 1, 0, False, False),
        (GIB, 3 * GIB, False, True),  # the engine is there and answers
        (GIB, 2 * GIB, False, False),
        (GIB // 4, 2 * GIB, True, True),  # the night has what it takes
        (GIB // 8, 5 * GIB, True, False),  # others have none left
    ],
)
def test_a_night_needs_its_memory_and_leaves_some_to_others(
    available: int, of_engine: int, works: bool, holds: bool
) -> None:
    reading = memory_reading(
        NEEDS, available=available, of_engine=of_engine, machine=16 * GIB, works=works
    )

    assert reading.holds is holds
    assert reading.reason == ("" if holds else "memory")


def test_memory_that_no_closing_of_programs_gives_has_the_sentence_of_the_plan() -> None:
    needs = NightNeeds(memory_bytes=4 * GIB, adapter_bytes=GIB, problem="Allow 4 GB.")
    reading = memory_reading(needs, available=9 * GIB, of_engine=0, machine=16 * GIB, works=False)

    assert (reading.holds, reading.reason) == (False, "too_little_memory")
    assert reading.advice == "Allow 4 GB."


def test_a_base_that_cannot_be_used_is_not_a_matter_of_memory_or_disk() -> None:
    found = memory_reading(None, available=GIB, of_engine=0, machine=16 * GIB, works=False)
    assert found.holds is True
    assert disk_reading(None, free=FULL_BELOW_BYTES, works=False).holds is True


def test_a_small_machine_leaves_less() -> None:
    reading = memory_reading(None, available=30 << 20, of_engine=1, machine=GIB, works=True)
    assert reading.holds is True


# --------------------------------------------------------------------------- disk


@pytest.mark.parametrize(
    ("free", "works", "holds"),
    [
        (10 * GIB + FULL_BELOW_BYTES, False, True),
        (10 * GIB, False, False),
        (6 * GIB + FULL_BELOW_BYTES, True, True),  # one checkpoint is there already
        (6 * GIB, True, False),
        (None, True, None),
    ],
)
def test_the_disk_has_room_for_what_a_night_writes(
    free: int | None, works: bool, holds: bool | None
) -> None:
    assert disk_reading(NEEDS, free=free, works=works).holds is holds


def test_sizes_are_shown_as_people_say_them() -> None:
    assert [amount(size) for size in (1, 53_400_000, 1_249_000_000)] == ["1 MB", "53 MB", "1.2 GB"]


# --------------------------------------------------------------------------- graphics card


@pytest.mark.parametrize(
    ("cards", "holds", "value"),
    [
        (Cards(cards=0), True, "no NVIDIA card"),
        (Cards(cards=1, busy_percent=4), True, "not used by others"),
        (Cards(cards=1, others=1, others_bytes=100_000_000), True, "not used by others"),
        (Cards(cards=1, others=1, others_bytes=3_000_000_000), False, "one program with 3.0 GB"),
        (Cards(cards=2, others=3, others_bytes=3_000_000_000), False, "3 programs with 3.0 GB"),
        (Cards(cards=1, busy_percent=60), False, "busy 60 %"),  # a game draws and computes not
        (Cards(cards=1, ours=True, busy_percent=99), True, "not used by others"),
        (None, None, "not known"),
    ],
)
def test_a_card_that_others_use_holds_a_night(
    cards: Cards | None, holds: bool | None, value: str
) -> None:
    reading = gpu_reading(cards)

    assert (reading.holds, reading.value) == (holds, value)


class SayingNvml:
    """NVML with two cards, of which the second does not tell how busy it is."""

    class NVMLError(Exception):
        pass

    def __init__(self, *programs: tuple[int, int | None]) -> None:
        self._programs = [SimpleNamespace(pid=pid, usedGpuMemory=held) for pid, held in programs]

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802 - NVML's names
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetComputeRunningProcesses(self, card: int) -> list[Any]:  # noqa: N802
        return self._programs if card == 0 else []

    def nvmlDeviceGetUtilizationRates(self, card: int) -> Any:  # noqa: N802
        if card:
            raise self.NVMLError
        return SimpleNamespace(gpu=12, memory=3)


def test_our_own_programs_on_the_card_are_not_others() -> None:
    nvml = SayingNvml((10, 900), (11, 500), (12, None))

    found = cards_of(nvml, own={10})

    assert found == Cards(cards=2, others=2, others_bytes=500, ours=True, busy_percent=12)


@pytest.mark.skipif(find_library("nvidia-ml") is not None, reason="there is NVIDIA's library here")
def test_a_driver_that_only_the_machine_around_a_container_has_is_none(tmp_path: Path) -> None:
    files(tmp_path, {"proc/driver/nvidia/version": "NVRM version"})

    assert read(tmp_path, own=()) == Cards(cards=0)


def test_a_card_that_rests_is_not_woken_to_be_asked(tmp_path: Path) -> None:
    status = "sys/bus/pci/drivers/nvidia/0000:01:00.0/power/runtime_status"
    assert read(tmp_path, own=()) == Cards(cards=0)
    files(tmp_path, {"proc/driver/nvidia/version": "NVRM version", status: "suspended"})

    assert all_rest(tmp_path)
    assert read(tmp_path, own=()) == Cards(cards=1)
    files(tmp_path, {status: "active"})
    assert not all_rest(tmp_path)
