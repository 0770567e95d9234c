"""How much memory a process holds. A process that denies tracing can only measure itself."""

import os
from pathlib import Path

from daemon.group_memory import free_in_group

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
GROUP = "/sys/fs/cgroup"  # as this process sees its own group


def own_bytes() -> int:
    """This process's proportional set size, or its resident set where the system has no such."""
    proportional = _kibibytes("/proc/self/smaps_rollup", "Pss:")
    return resident_bytes(os.getpid()) if proportional is None else proportional


def resident_bytes(pid: int) -> int:
    """Resident set size of a process, shared pages included; 0 where it cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return int(fields[1]) * PAGE_BYTES


def private_bytes(pid: int) -> int:
    """Of a process, what is given back when it ends: resident, mapped files and shared memory not
    counted; 0 where it cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return max(0, int(fields[1]) - int(fields[2])) * PAGE_BYTES


def machine_bytes() -> int:
    """Memory that processes here may use: the machine's, or less where a group is held to less."""
    physical = os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES
    limit = _group_limit()
    return physical if limit is None else min(physical, limit)


def available_bytes() -> int:
    """What processes here can get now without swapping; where Linux does not say, half of all."""
    free = _kibibytes("/proc/meminfo", "MemAvailable:")
    found = machine_bytes() // 2 if free is None else free
    in_group = free_in_group()  # of a service's unit, say
    found = found if in_group is None else min(found, in_group)
    limit = _group_limit()
    if limit is None:
        return found
    # pages of files are given back when they are wanted; the rest of the group's are not
    return max(0, min(found, limit - (_bytes(f"{GROUP}/memory.stat", "anon") or 0)))


def _group_limit() -> int | None:
    """https://docs.kernel.org/admin-guide/cgroup-v2.html, memory.max"""
    try:
        limit = Path(f"{GROUP}/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(limit) if limit.isdigit() else None


def _kibibytes(path: str, name: str) -> int | None:
    found = _bytes(path, name)
    return None if found is None else found * 1024


def _bytes(path: str, name: str) -> int | None:
    """The number behind a name, in a file of such lines."""
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.split()[:1] == [name]), None)
