"""What the processor can do, as the kernel says it: asked without torch, by whoever plans."""

import platform
from pathlib import Path

# /proc/cpuinfo's words: products of bf16 on x86-64 (vectors, tiles) and on 64-bit ARM
BF16_WORDS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def multiplies_bf16() -> bool:
    """Whether bf16 is worth computing in; False where nothing can be read (fp32 is never wrong)."""
    return bool(BF16_WORDS & words())


def words() -> frozenset[str]:
    """The feature words of the first core; empty outside of Linux."""
    return frozenset((line("flags") or line("Features") or "").split())


def name() -> str:
    """What the processor calls itself."""
    return line("model name") or platform.processor() or platform.machine()


def line(key: str) -> str | None:
    """The first line of /proc/cpuinfo with this key."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((one.partition(":")[2].strip() for one in lines if one.startswith(key)), None)
