"""Files that an installation writes into folders it shares with others, and takes away again.

Written whole or not at all. Only files that say that nightloom made them are replaced or removed.
"""

import contextlib
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from daemon.installing.errors import NotOurs

SIGN = "Made by nightloom"  # stands in the first lines of each of them
SIGN_WITHIN_CHARACTERS = 500
MODE = 0o644  # nothing in them is secret, and their neighbours have it


def write(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Paths of what was written, in order.

    Raises:
        NotOurs: before anything is written.
        OSError
    """
    for name in files:
        if not _may_go(folder / name):
            raise NotOurs(folder / name)
    for name, text in files.items():
        _write(folder / name, text)
    return [folder / name for name in files]


def remove(paths: Iterable[Path]) -> list[Path]:
    """Paths of what was ours and is gone now; folders that are empty then go as well."""
    gone = []
    for path in paths:
        if _exists(path) and _may_go(path):
            path.unlink()
            gone.append(path)
            with contextlib.suppress(OSError):
                path.parent.rmdir()  # refuses where something is left
    return gone


def is_ours(path: Path) -> bool:
    return _exists(path) and _may_go(path)


def _may_go(path: Path) -> bool:
    try:
        with path.open("r", encoding="utf-8", errors="replace") as file:
            return SIGN in file.read(SIGN_WITHIN_CHARACTERS)
    except FileNotFoundError:
        return not path.is_symlink()
    except OSError:
        return False


def _exists(path: Path) -> bool:
    return path.is_file()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
