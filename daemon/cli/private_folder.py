"""A folder that a command fills in clear: made beside its place, its owner's alone, renamed when
whole.

Whatever ends the command before that, Ctrl-C and a closed terminal too, leaves nothing behind.
"""

import contextlib
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from daemon.cli.demo_interrupts import Interrupts
from daemon.cli.errors import ExportFolderTaken


def check_room(folder: Path) -> None:
    """Raises `ExportFolderTaken` unless there is nothing there, or an empty folder."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ExportFolderTaken
    if folder.is_dir() and any(folder.iterdir()):
        raise ExportFolderTaken


@contextlib.contextmanager
def private_folder(folder: Path) -> Iterator[Path]:
    """Gives the draft of `folder`, which takes its place at the end of the block.

    Raises:
        ExportFolderTaken: somebody put something there.
        OSError: the system refused.
    """
    folder = folder.absolute()
    check_room(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name[:100]}.exporting-{secrets.token_hex(4)}")
    with _one_interruption() as interrupts:
        try:
            draft.mkdir(mode=0o700)
            yield draft
            check_room(folder)
            draft.rename(folder)  # over an empty folder, never over a full one
        except BaseException:
            interrupts.ignore_more()
            shutil.rmtree(draft, ignore_errors=True)
            raise


@contextlib.contextmanager
def created(path: Path) -> Iterator[IO[bytes]]:
    """A new file for its owner alone."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file


@contextlib.contextmanager
def _one_interruption() -> Iterator[Interrupts]:
    """Signals as `Interrupts` has them, where that can be: on the main thread."""
    interrupts = Interrupts()
    if threading.current_thread() is threading.main_thread():
        with interrupts:
            yield interrupts
    else:
        yield interrupts
