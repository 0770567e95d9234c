"""Who else may read or change what lies in the home: modes and owners of every file and folder.

What is private (the vault, the sockets) is its owner's alone. The configuration and the bases hold
nothing of the user: others must not be able to change them.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from daemon.home import Home

OTHERS = 0o077
OTHERS_WRITE = 0o022


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Something that is open to others, or theirs."""

    path: str = field(repr=False)  # as the user knows it
    mode: int
    of_another: bool


def is_open(status: os.stat_result, *, uid: int, private: bool) -> bool:
    """Whether others own it, or may do with it what they must not. Pure."""
    if status.st_uid != uid:
        return True
    if stat.S_ISLNK(status.st_mode):
        return False  # its mode means nothing
    return bool(stat.S_IMODE(status.st_mode) & (OTHERS if private else OTHERS_WRITE))


def everything(home: Home) -> Iterator[tuple[Path, bool]]:
    """Every file and folder of the home, and whether it is private. Links are not followed."""
    public = {home.bases, home.config_file}
    tops = {home.vault, home.runtime, home.bases, *home.own_folders}
    seen: set[Path] = set()
    for top in sorted(tops):
        for path in _below(top):
            if path not in seen:
                seen.add(path)
                yield path, not any(one in public for one in (path, *path.parents))


def opened(
    found: Iterable[tuple[Path, bool]],
    *,
    uid: int,
    look: Callable[[Path], os.stat_result] = os.lstat,
) -> list[Open]:
    """Those that are open to others; what went meanwhile is left out."""
    seen = []
    for path, private in found:
        try:
            status = look(path)
        except FileNotFoundError:
            continue
        if is_open(status, uid=uid, private=private):
            mode = stat.S_IMODE(status.st_mode)
            seen.append(Open(path=str(path), mode=mode, of_another=status.st_uid != uid))
    return seen


def _below(top: Path) -> Iterator[Path]:
    if not top.exists():
        return
    yield top
    for folder, names, files in os.walk(top, followlinks=False):
        yield from (Path(folder) / name for name in (*names, *files))
