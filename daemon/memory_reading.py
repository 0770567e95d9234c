"""How much memory a process holds. A process that denies tracing can only measure itself."""

import os
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def own_bytes() -> int:
    """This process's proportional set size, or its resident set where the system has no such."""
    try:
        for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resident_bytes(os.getpid())


def resident_bytes(pid: int) -> int:
    """Resident set size of a process, shared pages included; 0 where it cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return int(fields[1]) * PAGE_BYTES


def machine_bytes() -> int:
    """Memory that processes here may use: the machine's, or less where a group is held to less."""
    physical = os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES
    try:  # https://docs.kernel.org/admin-guide/cgroup-v2.html, memory.max
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return physical
    return min(physical, int(limit)) if limit.isdigit() else physical
