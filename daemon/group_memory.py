"""The control group that this process is in: where its files are, and what it may use of memory.

Version 2 alone, https://docs.kernel.org/admin-guide/cgroup-v2.html; where the memory controller is
not given to the group, nothing is known. Above `memory.high` processes are slowed down until they
give memory back, so it counts as a limit here.
"""

from collections.abc import Iterator
from pathlib import Path

MOUNTED = ("sys/fs/cgroup", "sys/fs/cgroup/unified")  # alone, or beside version 1
LIMITS = ("memory.high", "memory.max")
NOT_GIVEN_BACK = ("anon", "shmem")  # shared memory counts among the pages of files, and is none


def group_folder(root: Path = Path("/")) -> Path | None:
    """This process's own group."""
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return None
    path = next((line[3:].lstrip("/") for line in lines if line.startswith("0::")), None)
    if path is None:
        return None
    folders = (root / mounted / path for mounted in reversed(MOUNTED))
    return next((one for one in folders if (one / "cgroup.procs").exists()), None)


def group_file(name: str, root: Path = Path("/")) -> Path | None:
    """A file of it, if it is there."""
    folder = group_folder(root)
    return folder / name if folder is not None and (folder / name).exists() else None


def free_in_group(root: Path = Path("/")) -> int | None:
    """Bytes until the nearest limit of this group or one above it; None: there is none.

    Pages of files are given back when they are wanted, so they count as free.
    """
    rooms = [room for folder in _folders(root) if (room := _room(folder)) is not None]
    return min(rooms, default=None)


def _folders(root: Path) -> Iterator[Path]:
    """The group, and those above it."""
    folder = group_folder(root)
    while folder is not None and (folder / "cgroup.procs").exists():
        yield folder
        folder = folder.parent


def _room(folder: Path) -> int | None:
    limits = [limit for name in LIMITS if (limit := _number(folder / name)) is not None]
    if not limits:
        return None
    return max(0, min(limits) - _not_given_back(folder))


def _not_given_back(folder: Path) -> int:
    try:
        lines = (folder / "memory.stat").read_text("ascii").splitlines()
    except OSError:
        return 0
    told = dict(line.split() for line in lines)
    return sum(int(told.get(name, 0)) for name in NOT_GIVEN_BACK)


def _number(file: Path) -> int | None:
    try:
        text = file.read_text("ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
