"""A file's bytes, read so that nothing but a regular file at rest is ever opened and taken.

The way down from the source's root is opened folder by folder without following links; pipes and
devices are seen before they are opened, and once more after. Knows nothing of text.
"""

import errno
import os
import stat
import threading
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


@dataclass(slots=True)  # not frozen: that would take longer than to read a small file
class FileBytes:
    """The whole content, and the state of the file before and after it was read."""

    data: bytes = field(repr=False)
    size: int
    mtime_ns: int


class Below:
    """The files below a root, opened from any thread.

    Between `stay` and `leave` the folder of the last file is kept open for the next one beside it:
    were the folder moved meanwhile, they would be read as if that had happened a moment later.
    """

    def __init__(self, root: Path, *, open_file: Opener = os.open) -> None:
        self.root = root
        self.open_file = open_file
        self._lock = threading.Lock()
        self._staying = False
        self._kept: tuple[str, int] | None = None  # a folder and its descriptor

    def stay(self) -> None:
        with self._lock:
            self._staying = True

    def leave(self) -> None:
        with self._lock:
            self._staying = False
            self._close()

    def read(self, relative: str, *, most_bytes: int) -> FileBytes | SkipReason:
        """The content of the file at `relative`, or why there is none."""
        try:
            opened = self._opened(relative)
            if isinstance(opened, SkipReason):
                return opened
            descriptor, before = opened
            try:
                return _read(descriptor, before, most_bytes)
            finally:
                os.close(descriptor)
        except OSError as error:
            return reason_of(error)

    def open(self, relative: str) -> int | SkipReason:
        """A descriptor of the file, for the caller to close, or why there is none."""
        try:
            opened = self._opened(relative)
        except OSError as error:
            return reason_of(error)
        return opened if isinstance(opened, SkipReason) else opened[0]

    def _opened(self, relative: str) -> "tuple[int, os.stat_result] | SkipReason":
        folder, _, name = relative.rpartition("/")
        with self._lock:
            try:
                return _open_in(self._descriptor(folder), name, self.open_file)
            finally:
                if not self._staying:
                    self._close()

    def _descriptor(self, folder: str) -> int:
        if self._kept is None or self._kept[0] != folder:
            self._close()
            names = folder.split("/") if folder else []
            self._kept = folder, _open_folder(self.root, names, self.open_file)
        return self._kept[1]

    def _close(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            os.close(kept[1])


def read_file(
    root: Path, relative: str, *, most_bytes: int, open_file: Opener = os.open
) -> FileBytes | SkipReason:
    """Read `relative` below `root`, or say why not."""
    return Below(root, open_file=open_file).read(relative, most_bytes=most_bytes)


def open_regular(root: Path, relative: str, *, open_file: Opener = os.open) -> int | SkipReason:
    """A descriptor of `relative` below `root`, for the caller to close, or why there is none."""
    return Below(root, open_file=open_file).open(relative)


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


def _open_in(folder: int, name: str, open_file: Opener) -> tuple[int, os.stat_result] | SkipReason:
    seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
    reason = kind_reason(seen.st_mode)
    if reason is not None:
        return reason  # opening a pipe would wake who waits at its other end
    descriptor = open_file(name, _FILE_FLAGS, dir_fd=folder)
    reason = SkipReason.UNREADABLE
    try:
        status = os.fstat(descriptor)
        reason = kind_reason(status.st_mode)
    finally:
        if reason is not None:
            os.close(descriptor)
    return (descriptor, status) if reason is None else reason


def _read(descriptor: int, before: os.stat_result, most_bytes: int) -> FileBytes | SkipReason:
    size = before.st_size
    if size > most_bytes:
        return SkipReason.TOO_LARGE
    data = _read_all(descriptor, size)
    after = os.fstat(descriptor)
    if len(data) != size or state_of(before) != state_of(after):
        return SkipReason.CHANGING
    return FileBytes(data, size, before.st_mtime_ns)


def _read_all(descriptor: int, size: int) -> bytes:
    """`size` bytes, or fewer, or one more where the file has become longer."""
    data = os.read(descriptor, min(size + 1, _PIECE_BYTES))
    if len(data) == size or not data:
        return data  # a byte that came meanwhile is seen by the size afterwards
    pieces, left = [data], size + 1 - len(data)
    while left > 0 and (piece := os.read(descriptor, min(left, _PIECE_BYTES))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
