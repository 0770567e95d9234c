"""What a process holds, from Linux's /proc; None where there is no such thing."""

import contextlib
import ctypes
import gc
from pathlib import Path

RESET_PEAK = "5"  # https://docs.kernel.org/filesystems/proc.html, clear_refs


def reset_peak() -> None:
    """Give back what is free, and count the peak anew from here."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # else glibc keeps what the run before has left
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text(RESET_PEAK, encoding="ascii")


def peak_bytes() -> int | None:
    """The most that was resident at once (VmHWM)."""
    return _field("/proc/self/status", "VmHWM:")


def proportional_bytes() -> int | None:
    """The proportional set size: pages shared with others are divided among them."""
    return _field("/proc/self/smaps_rollup", "Pss:")


def mapped_bytes(name: str) -> int | None:
    """The proportional set size of mappings of files whose path holds a name."""
    try:
        lines = Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    found, wanted = 0, False
    for line in lines:
        first = line.split(None, 1)[0]
        if not first.endswith(":"):  # the head of a mapping: addresses, rights, ..., path
            wanted = name in line
        elif wanted and first == "Pss:":
            found += int(line.split()[1]) * 1024
    return found


def available_bytes() -> int | None:
    """What processes can still get without swapping."""
    return _field("/proc/meminfo", "MemAvailable:")


def _field(path: str, name: str) -> int | None:
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)
