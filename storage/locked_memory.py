"""Keeping keys out of swap, as far as the system lets us, and saying honestly how far that is.

All of the process where its limit allows that, which is the service's to ask for; in any case the
pages that the long-lived keys lie on.
The second is best effort: Python and the libraries below it copy bytes (a cipher keeps its own
expanded key), and a copy lies wherever the allocator put it. Nothing here helps against
hibernation, which writes all memory to the disk. Core dumps are another module's matter.
"""

import ctypes
import mmap
import resource
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

# <sys/mman.h> of Linux; the same on x86-64 and ARM.
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_BYTES_HEADER = sys.getsizeof(b"") - 1  # of a bytes object, before its bytes
_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")


class Extent(StrEnum):
    """What stays out of swap."""

    PROCESS = "process"  # all memory of the service is locked
    GROUP = "group"  # its control group may not swap at all (MemorySwapMax=0)
    KEYS = "keys"  # the pages that the long-lived keys lie on; copies may be elsewhere
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedMemory:
    """What was achieved; `why` says what is in the way of more, None if nothing is."""

    extent: Extent
    why: str | None


LIMITED = (
    "the limit of locked memory is {limit} KiB; raise LimitMEMLOCK, set MemorySwapMax=0 for the "
    "service, or encrypt the swap"
)
NOT_LINUX = "this system offers no way that nightloom knows; encrypt the swap"
REFUSED = "the system refused to lock memory; encrypt the swap"


def lock_process() -> LockedMemory:
    """Lock all of this process's memory, now and later, if its limit is none; call it early.

    Under a finite limit it is not tried: a process whose later memory counts against it would die
    of the limit instead.
    """
    if sys.platform != "linux":
        return LockedMemory(extent=Extent.NOTHING, why=NOT_LINUX)
    if _group_never_swaps():
        return LockedMemory(extent=Extent.GROUP, why=None)
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY:
        limit = soft // 1024
        return LockedMemory(extent=Extent.NOTHING, why=LIMITED.format(limit=limit))
    flags = _MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT  # what is touched, not all that is mapped
    if _libc().mlockall(flags) != 0:
        return LockedMemory(extent=Extent.NOTHING, why=REFUSED)
    return LockedMemory(extent=Extent.PROCESS, why=None)


def lock_keys(keys: Iterable[bytes]) -> LockedMemory:
    """Lock the pages that these keys lie on; a vault does this for its own."""
    if sys.platform != "linux":
        return LockedMemory(extent=Extent.NOTHING, why=NOT_LINUX)
    libc = _libc()
    for key in keys:
        first, last = _pages_of(key)
        if libc.mlock(ctypes.c_void_p(first), ctypes.c_size_t(last - first)) != 0:
            return LockedMemory(extent=Extent.NOTHING, why=REFUSED)
    return LockedMemory(extent=Extent.KEYS, why=None)


def together(process: LockedMemory, keys: LockedMemory | None) -> LockedMemory:
    """What is locked in all, of a process and the vault that is open in it, if one is."""
    if process.extent is not Extent.NOTHING or keys is None:
        return process
    return LockedMemory(extent=keys.extent, why=process.why)


def _pages_of(key: bytes) -> tuple[int, int]:
    """Addresses of the first page and of the end of the last."""
    page = mmap.PAGESIZE
    start = id(key) + _BYTES_HEADER  # CPython: the address of the object
    end = start + len(key)
    return start // page * page, -(-end // page) * page


def _group_never_swaps() -> bool:
    """Whether the control group, or one above it, has no swap to use (cgroup v2)."""
    try:
        lines = _CGROUP.read_text("ascii", "replace").splitlines()
        paths = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
        folder = _CGROUPS / paths[0]
        while folder != _CGROUPS:
            limit = folder / "memory.swap.max"
            if limit.is_file() and limit.read_text("ascii").strip() == "0":
                return True
            folder = folder.parent
    except (OSError, IndexError, ValueError):
        return False
    return False


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
