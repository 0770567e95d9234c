"""The facts about the machine that a figure means nothing without."""

import os
from typing import Any

import bitsandbytes
import peft
import torch
import transformers

from trainer import cpu_features
from trainer.nf4 import paths

CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")  # /proc/cpuinfo's


def machine_facts() -> dict[str, Any]:
    """Processor, memory, load and versions."""
    return {
        "processor": cpu_features.name(),
        "instructions": [flag for flag in CPU_FLAGS if flag in cpu_features.words()],
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
