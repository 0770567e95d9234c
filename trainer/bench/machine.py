"""The facts about the machine that a figure means nothing without."""

import os
import platform
from pathlib import Path
from typing import Any

import bitsandbytes
import peft
import torch
import transformers

from trainer.nf4 import paths

CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")  # /proc/cpuinfo's


def machine_facts() -> dict[str, Any]:
    """Processor, memory, load and versions."""
    return {
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "instructions": [
            flag for flag in CPU_FLAGS
            if flag in (_cpuinfo("flags") or _cpuinfo("Features") or "").split()
        ],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else
                 os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "load": round(os.getloadavg()[0], 2),
        "kernels": paths()[0] if paths() else "bitsandbytes",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "peft": peft.__version__,
        "bitsandbytes": bitsandbytes.__version__,
    }  # fmt: skip


def _cpuinfo(name: str) -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)
