"""What NVIDIA's driver says of the cards, through NVML.

The library is loaded only where the driver is, and closed after each look: a card that nobody has
open can rest. One that rests is not woken to be asked.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from daemon.conditions.gpu import NO_CARD, Cards

DRIVER = "proc/driver/nvidia/version"
DEVICES = "sys/bus/pci/drivers/nvidia"


def read(root: Path, own: Collection[int]) -> Cards | None:
    """None where there is a driver that does not answer. Takes up to a second where no other
    program has the driver open.

    Args:
        own: ids of our processes.
    """
    if not (root / DRIVER).exists():
        return NO_CARD
    if all_rest(root):
        return Cards(cards=1)
    try:
        import pynvml  # type: ignore[import-untyped]
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded):
        return NO_CARD  # of the machine around this container, or one that nobody can use here
    except pynvml.NVMLError:
        return None
    try:
        return cards_of(pynvml, own)
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def cards_of(nvml: Any, own: Collection[int]) -> Cards:
    """Args:
    nvml: `pynvml`, initialised; its functions raise its `NVMLError`.
    """
    count = nvml.nvmlDeviceGetCount()
    computing: dict[int, int] = {}
    busy: list[int] = []
    for index in range(count):
        card = nvml.nvmlDeviceGetHandleByIndex(index)
        for program in nvml.nvmlDeviceGetComputeRunningProcesses(card):
            held = program.usedGpuMemory or 0
            computing[program.pid] = computing.get(program.pid, 0) + held
        try:
            busy.append(int(nvml.nvmlDeviceGetUtilizationRates(card).gpu))
        except nvml.NVMLError:
            continue  # some cards do not tell, as those that are divided
    others = {pid: held for pid, held in computing.items() if pid not in own}
    return Cards(
        cards=count,
        others=len(others),
        others_bytes=sum(others.values()),
        ours=len(others) < len(computing),
        busy_percent=max(busy, default=None),
    )


def all_rest(root: Path) -> bool:
    """Whether the kernel has switched off every card, as laptops do with a second one."""
    try:
        files = list((root / DEVICES).glob("*:*/power/runtime_status"))
        states = [file.read_text("ascii", "replace").strip() for file in files]
    except OSError:
        return False
    return bool(states) and all(state == "suspended" for state in states)
