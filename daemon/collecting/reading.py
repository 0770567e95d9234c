"""A file's bytes, read so that nothing but a regular file at rest is ever opened and taken.

The way down from the source's root is opened folder by folder without following links; pipes and
devices are seen before they are opened, and once more after. Knows nothing of text.
"""

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from daemon.collecting.skipping import SkipReason

Opener = Callable[..., int]  # os.open

_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_FOLDER_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY
_REASONS = {
    errno.ENOENT: SkipReason.VANISHED,
    errno.ENOTDIR: SkipReason.VANISHED,  # a folder on the way is now something else
    errno.ELOOP: SkipReason.SYMLINK,
}
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBytes:
    """The whole content, and the state of the file before and after it was read."""

    data: bytes = field(repr=False)
    size: int
    mtime_ns: int


def read_file(
    root: Path, relative: str, *, most_bytes: int, open_file: Opener = os.open
) -> FileBytes | SkipReason:
    """Read `relative` below `root`, or say why not."""
    descriptor = open_regular(root, relative, open_file=open_file)
    if isinstance(descriptor, SkipReason):
        return descriptor
    try:
        return _read(descriptor, most_bytes)
    except OSError as error:
        return reason_of(error)
    finally:
        os.close(descriptor)


def open_regular(root: Path, relative: str, *, open_file: Opener = os.open) -> int | SkipReason:
    """A descriptor of `relative` below `root`, for the caller to close, or why there is none."""
    try:
        folder = _open_folder(root, relative.split("/")[:-1], open_file)
    except OSError as error:
        return reason_of(error)
    try:
        return _open_in(folder, relative.rpartition("/")[2], open_file)
    except OSError as error:
        return reason_of(error)
    finally:
        os.close(folder)


def state_of(status: os.stat_result) -> tuple[int, int]:
    """Another value when the file was written to."""
    return status.st_size, status.st_mtime_ns


def reason_of(error: OSError) -> SkipReason:
    """Why the system refused."""
    return _REASONS.get(error.errno or 0, SkipReason.UNREADABLE)


def kind_reason(mode: int) -> SkipReason | None:
    """Why a file of this mode is never opened; None for a regular one."""
    if stat.S_ISREG(mode):
        return None
    return SkipReason.SYMLINK if stat.S_ISLNK(mode) else SkipReason.NOT_REGULAR


def _open_folder(root: Path, names: list[str], open_file: Opener) -> int:
    """A descriptor of the folder, each step taken from the one before."""
    folder = open_file(root, _FOLDER_FLAGS)
    for name in names:
        try:
            below = open_file(name, _FOLDER_FLAGS, dir_fd=folder)
        finally:
            os.close(folder)
        folder = below
    return folder


def _open_in(folder: int, name: str, open_file: Opener) -> int | SkipReason:
    seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
    reason = kind_reason(seen.st_mode)
    if reason is not None:
        return reason  # opening a pipe would wake who waits at its other end
    descriptor = open_file(name, _FILE_FLAGS, dir_fd=folder)
    reason = SkipReason.UNREADABLE
    try:
        reason = kind_reason(os.fstat(descriptor).st_mode)
    finally:
        if reason is not None:
            os.close(descriptor)
    return descriptor if reason is None else reason


def _read(descriptor: int, most_bytes: int) -> FileBytes | SkipReason:
    before = os.fstat(descriptor)
    if before.st_size > most_bytes:
        return SkipReason.TOO_LARGE
    data = _read_all(descriptor, most_bytes=before.st_size + 1)
    after = os.fstat(descriptor)
    if len(data) != before.st_size or state_of(before) != state_of(after):
        return SkipReason.CHANGING
    return FileBytes(data=data, size=before.st_size, mtime_ns=before.st_mtime_ns)


def _read_all(descriptor: int, *, most_bytes: int) -> bytes:
    pieces, left = [], most_bytes
    while left > 0 and (piece := os.read(descriptor, min(left, _PIECE_BYTES))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
