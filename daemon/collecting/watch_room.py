"""How many folders may be watched: half of what the system gives one user, for all sources.

The other half is for the user's editors and file managers. Pure but for one number of the system.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")
USUAL = 8192  # where the system does not say


def most_watches(limit: Path = LIMIT) -> int:
    """Watches that all sources together may take."""
    try:
        return int(limit.read_text("ascii")) // 2
    except (OSError, ValueError):
        return USUAL // 2


def within(room: int, folders: Iterable[str]) -> list[str] | None:
    """The folders, or None when there are more than there is room for: then none is watched."""
    walk: Iterator[str] = iter(folders)
    found = list(islice(walk, max(room, 0)))
    return found if next(walk, None) is None else None
