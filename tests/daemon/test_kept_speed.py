"""A measurement is kept for the machine and the version it was made on."""

from dataclasses import replace
from pathlib import Path

import pytest

from daemon import kept_speed
from daemon.bases import Bases
from trainer.speed import Speed

HERE = kept_speed.Conditions(version="1.0", processor="Some CPU", cores=8)
SPEED = Speed(small=1e11, large=4e11)


def test_what_was_kept_is_found_under_the_same_conditions_only(tmp_path: Path) -> None:
    assert kept_speed.load(tmp_path, HERE) is None
    kept_speed.keep(tmp_path, HERE, SPEED)

    assert kept_speed.load(tmp_path, HERE) == SPEED
    for other in (
        replace(HERE, version="1.1"),
        replace(HERE, processor="Another"),
        replace(HERE, cores=4),
    ):
        assert kept_speed.load(tmp_path, other) is None
    assert [base.name for base in Bases(tmp_path).all()] == ["builtin"]


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b"\xff", b'{"conditions": {"a": 1}}'])
def test_a_damaged_one_is_measured_again(tmp_path: Path, damage: bytes) -> None:
    kept_speed.keep(tmp_path, HERE, SPEED)
    (tmp_path / kept_speed.NAME).write_bytes(damage)

    assert kept_speed.load(tmp_path, HERE) is None


def test_a_place_that_cannot_be_written_to_costs_a_measurement_and_no_error(tmp_path: Path) -> None:
    kept_speed.keep(tmp_path / "gone", HERE, SPEED)

    assert kept_speed.load(tmp_path / "gone", HERE) is None
