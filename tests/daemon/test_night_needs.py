"""What a night takes, counted before there is one."""

from pathlib import Path

import pytest

from daemon.bases import Bases
from daemon.chosen_base import ChosenBase
from daemon.night_memory import NightMemory
from daemon.night_needs import NightNeeds, needs_of
from trainer.errors import BudgetTooSmall

CONTEXT = 1024


def builtin(tmp_path: Path) -> ChosenBase:
    return ChosenBase(Bases(tmp_path / "bases"), "builtin")


def needs(base: ChosenBase, *, configured_bytes: int | None = None) -> NightNeeds:
    found = needs_of(base, {}, configured_bytes=configured_bytes)()
    assert found is not None
    return found


def test_a_night_can_be_planned_with_what_it_needs_and_not_with_less(tmp_path: Path) -> None:
    base = builtin(tmp_path)
    free = needs(base).memory_bytes

    NightMemory(base.folder, free=lambda: free).plan({}, CONTEXT, None)
    with pytest.raises(BudgetTooSmall):
        NightMemory(base.folder, free=lambda: round(free * 0.99)).plan({}, CONTEXT, None)


def test_a_night_that_may_take_more_needs_what_its_plan_takes(tmp_path: Path) -> None:
    base = builtin(tmp_path)
    plan = NightMemory(base.folder, configured_bytes=2 << 30).plan({}, CONTEXT, None)

    found = needs(base, configured_bytes=2 << 30)

    assert found.memory_bytes == plan.peak_bytes
    assert found.problem == ""


def test_memory_that_the_settings_do_not_allow_is_named_with_a_way_out(tmp_path: Path) -> None:
    found = needs(builtin(tmp_path), configured_bytes=200_000_000)

    assert "200" in found.problem or "0.2" in found.problem


def test_a_base_that_is_not_there_needs_nothing_that_anybody_knows(tmp_path: Path) -> None:
    base = ChosenBase(Bases(tmp_path / "bases"), "vanished")

    assert needs_of(base, {})() is None


def test_the_disk_holds_two_checkpoints_and_the_adapter() -> None:
    found = NightNeeds(memory_bytes=1, adapter_bytes=100)

    assert (found.begin_disk_bytes, found.go_on_disk_bytes) == (1000, 600)
