"""The facts about the machine that a figure means nothing without, and what a process holds."""

import contextlib
import ctypes
import gc
import os
import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryptography.hazmat.backends.openssl import backend

CPU_FLAGS = ("aes", "vaes", "sha_ni", "sha2")  # /proc/cpuinfo's
RESET_PEAK = "5"  # https://docs.kernel.org/filesystems/proc.html, clear_refs


def machine_facts() -> dict[str, Any]:
    """Processor, memory, load and versions."""
    words = set((_line("/proc/cpuinfo", "flags") or _line("/proc/cpuinfo", "Features")).split())
    return {
        "processor": _line("/proc/cpuinfo", "model name") or platform.machine(),
        "instructions": [flag for flag in CPU_FLAGS if flag in words],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else
                 os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "openssl": backend.openssl_version_text().split()[1],
        "cryptography": version("cryptography"),
    }  # fmt: skip


def reset_peak() -> int | None:
    """Count the peak anew; what is held now. None where the system does not tell."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # else glibc keeps what the run before has left
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text(RESET_PEAK, encoding="ascii")
    return _kilobytes("VmRSS")


def peak_bytes() -> int | None:
    """The most that was resident at once, since the count was reset."""
    return _kilobytes("VmHWM")


def _kilobytes(name: str) -> int | None:
    words = _line("/proc/self/status", name).split()
    return int(words[0]) * 1024 if words else None


def _line(path: str, key: str) -> str:
    """The first line with this key; empty where there is none."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((one.partition(":")[2].strip() for one in lines if one.startswith(key)), "")
