"""How much room the vault's disk has left, and when that counts as full."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# An adapter, a checkpoint or a large batch of documents may not fit any more below this; a single
# small document still may, and is taken.
FULL_BELOW_BYTES = 16 << 20
ADVICE = (
    "Free some space. What does not fit is refused and nothing that was kept is lost; collecting "
    "and nights go on by themselves when there is room."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What the file system says; None where it says nothing."""

    free_bytes: int | None

    @property
    def is_full(self) -> bool:
        return self.free_bytes is not None and self.free_bytes < FULL_BELOW_BYTES

    def shown(self) -> dict[str, Any]:
        """For `status`."""
        return {"disk_full": self.is_full, "disk_free_bytes": self.free_bytes}

    def warnings(self) -> list[dict[str, Any]]:
        """For `status`, as those of `host_checks.py`."""
        if not self.is_full:
            return []
        free = (self.free_bytes or 0) // 1024
        return [{"name": "disk", "value": f"full, {free:,} KiB left", "advice": ADVICE}]


def read_room(folder: Path) -> Room:
    """Of the disk that holds `folder`, or the nearest folder above that is there."""
    for one in (folder, *folder.parents):
        try:
            return Room(free_bytes=shutil.disk_usage(one).free)
        except FileNotFoundError:
            continue
        except OSError:
            break
    return Room(free_bytes=None)
