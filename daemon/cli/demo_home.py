"""The demo's home folder: private, with a short path, and removed unless it is to be kept."""

import os
import secrets
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from daemon.cli.demo_interrupts import Interrupts
from daemon.cli.errors import DemoFolderTaken

PREFIX = "nl-"  # short: the sockets inside may have paths of about 100 bytes
LONGEST_PARENT_BYTES = 60  # with a longer TMPDIR the home goes to /tmp


def open_home(keep: Path | None, cleanup: ExitStack, interrupts: Interrupts) -> Path:
    """The folder to use as NIGHTLOOM_HOME. Raises `DemoFolderTaken`."""
    if keep is not None:
        keep = keep.absolute()
        keep.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise DemoFolderTaken
        keep.chmod(0o700)
        return keep
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) > LONGEST_PARENT_BYTES:
        parent = "/tmp"  # noqa: S108  # mkdtemp makes the folder itself, 0700
    with interrupts.held():
        made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        cleanup.callback(shutil.rmtree, made, ignore_errors=True)
    return made


def passphrase_for(home: Path, *, kept: bool) -> str:
    """A random passphrase, in memory only; beside the vault if somebody wants to open it later."""
    passphrase = secrets.token_urlsafe(24)
    if kept:
        descriptor = os.open(home / "passphrase", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(passphrase + "\n")
    return passphrase
