"""How much memory there is."""

import os
from pathlib import Path

import pytest

from daemon.memory_reading import PAGE_BYTES, machine_bytes, own_bytes, resident_bytes

GROUP = "/sys/fs/cgroup/memory.max"


def in_group(monkeypatch: pytest.MonkeyPatch, limit: str | None) -> None:
    """As in a control group with this limit; None where there are no such groups."""
    read = Path.read_text

    def reading(path: Path, encoding: str | None = None) -> str:
        if str(path) != GROUP:
            return read(path, encoding=encoding)
        if limit is None:
            raise FileNotFoundError
        return f"{limit}\n"

    monkeypatch.setattr(Path, "read_text", reading)


def test_a_machine_has_what_its_kernel_says(monkeypatch: pytest.MonkeyPatch) -> None:
    in_group(monkeypatch, "max")
    stated = Path("/proc/meminfo").read_text("ascii").splitlines()[0].split()

    assert stated[0] == "MemTotal:"
    assert machine_bytes() == pytest.approx(int(stated[1]) * 1024, rel=0.01)


@pytest.mark.parametrize(("limit", "bytes_"), [("1000000", 1_000_000), ("9" * 18, None),
                                               (None, None)])  # fmt: skip
def test_a_group_with_a_limit_has_no_more_than_that(
    monkeypatch: pytest.MonkeyPatch, limit: str | None, bytes_: int | None
) -> None:
    in_group(monkeypatch, limit)

    assert machine_bytes() == (bytes_ or os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES)


def test_a_process_holds_less_than_the_machine_has() -> None:
    assert 0 < own_bytes() < machine_bytes()
    assert resident_bytes(2**22 + 1) == 0  # nobody has that number
