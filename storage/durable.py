"""Making bytes survive a crash: fsync of files and folders, replacing a file in one step.

Knows nothing of keys or of what the bytes mean.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from storage.errors import StorageFull

# A named moment in a change, told to whoever watches. The crash tests stop the process there.
Observer = Callable[[str], None]

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def unobserved(moment: str) -> None:
    """The observer of every day: does not look."""


@contextlib.contextmanager
def full_disk_named() -> Iterator[None]:
    """Turn "no space left" and "quota exceeded" into `StorageFull`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        raise


def sync_file(descriptor: int) -> None:
    """Down to the medium; plain fsync on macOS stops at the drive's cache."""
    full_sync = getattr(fcntl, "F_FULLFSYNC", None)
    if full_sync is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full_sync)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_private(path: Path) -> int:
    """A new file that only the user can read; its descriptor. It must not exist yet."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` so that after a crash `path` holds either the old bytes or the new ones."""
    drop_unfinished(path)
    temporary = _unfinished(path)
    try:
        with full_disk_named():
            with os.fdopen(create_private(temporary), "wb") as file:
                file.write(data)
                file.flush()
                sync_file(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def drop_unfinished(path: Path) -> None:
    """What a crash within `replace_file` has left beside `path`."""
    _unfinished(path).unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + ".tmp")


def lock_exclusively(path: Path) -> int | None:
    """The descriptor that holds an exclusive lock on `path` until it is closed; None if taken."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
