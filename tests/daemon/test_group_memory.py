"""The control group of a process, in a folder that looks like the kernel's."""

from pathlib import Path

import pytest

from daemon.group_memory import free_in_group, group_file, group_folder

GROUP = "user.slice/app.slice/nightloom.service"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A group without limits, three below the topmost."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"1:name=systemd:/x\n0::/{GROUP}\n")
    folder = tmp_path / "sys/fs/cgroup"
    for name in ("", *GROUP.split("/")):
        folder = folder / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.procs").touch()
    return tmp_path


def limited(root: Path, group: str, **files: str) -> None:
    for name, text in files.items():
        (root / "sys/fs/cgroup" / group / name.replace("_", ".")).write_text(f"{text}\n")


def test_the_group_is_the_one_that_the_kernel_names(root: Path) -> None:
    assert group_folder(root) == root / "sys/fs/cgroup" / GROUP
    assert group_file("memory.high", root) is None
    limited(root, GROUP, memory_high="max")
    assert group_file("memory.high", root) is not None


def test_beside_version_1_it_lies_in_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/a\n")
    folder = tmp_path / "sys/fs/cgroup/unified/a"
    folder.mkdir(parents=True)
    (folder / "cgroup.procs").touch()

    assert group_folder(tmp_path) == folder


def test_where_there_are_no_groups_nothing_is_known(tmp_path: Path) -> None:
    assert group_folder(tmp_path) is None
    assert free_in_group(tmp_path) is None


@pytest.mark.parametrize(
    ("limits", "stat", "free"),
    [
        ({}, "", None),
        ({"memory_high": "max", "memory_max": "max"}, "", None),
        ({"memory_high": "1000"}, "anon 300\nfile 900", 700),  # files are given back
        ({"memory_high": "1000", "memory_max": "800"}, "anon 300", 500),
        ({"memory_high": "1000"}, "anon 300\nfile 900\nshmem 200", 500),
        ({"memory_high": "1000"}, "anon 1300", 0),
    ],
)
def test_what_is_free_in_a_group(
    root: Path, limits: dict[str, str], stat: str, free: int | None
) -> None:
    limited(root, GROUP, **limits, memory_stat=stat)

    assert free_in_group(root) == free


def test_a_limit_above_counts_as_well(root: Path) -> None:
    limited(root, GROUP, memory_high="1000")
    limited(root, "user.slice", memory_max="900", memory_stat="anon 500")

    assert free_in_group(root) == 400
