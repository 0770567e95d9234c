"""Which processes descend from one, and how much memory they hold together (Linux's /proc).

Where there is no /proc the tree is empty and the memory unknown.
"""

import os
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def descendants(root: int, parents: dict[int, int] | None = None) -> list[int]:
    """The processes below `root`, without it; `parents` maps each process to its parent."""
    known = read_parents() if parents is None else parents
    found: list[int] = []
    level = {root}
    while level:
        level = {pid for pid, parent in known.items() if parent in level and pid != root}
        level.difference_update(found)
        found.extend(sorted(level))
    return found


def read_parents() -> dict[int, int]:
    """Every process that can be seen, with its parent."""
    parents: dict[int, int] = {}
    try:
        names = [entry.name for entry in PROC.iterdir()]
    except OSError:
        return parents  # there is no /proc
    for pid in map(int, filter(str.isdigit, names)):
        parent = _parent(pid)
        if parent is not None:
            parents[pid] = parent
    return parents


def memory_bytes(processes: Iterable[int]) -> int:
    """Memory that processes hold together, pages they share counted once where that is known.

    A process that denies tracing shows only its resident set, shared pages included: the sum is
    then an upper bound.
    """
    return sum(_proportional(pid) or _resident(pid) for pid in processes)


def _proportional(pid: int) -> int | None:
    try:
        for line in (PROC / str(pid) / "smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # gone meanwhile, or it denies tracing: the resident set is counted in its place
    return None


def _resident(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "statm").read_text("ascii").split()[1]) * PAGE_BYTES
    except OSError:
        return 0  # anybody may read this file, so the process is gone, and holds nothing


def _parent(pid: int) -> int | None:
    try:
        stat = (PROC / str(pid) / "stat").read_text("ascii", errors="replace")
    except OSError:
        return None  # it ended between the listing and now
    # pid (name) state ppid ...; the name may hold blanks and brackets
    return int(stat.rpartition(")")[2].split()[1])
