"""Whether the file behind a document is still there. Looks at names only; opens nothing.

What cannot be told counts as there: in a missing source, or where an error is on the way.
"""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

_KEPT_BYTE = re.compile(r"\\udc([89a-f][0-9a-f])")  # as `source.kept_path` writes it


def files_of(path: str) -> Iterator[str]:
    """The paths that the file of a document may have: itself, or what stands before a `#`."""
    yield path
    at = path.rfind("#")
    while at > 0:
        yield path[:at]
        at = path.rfind("#", 0, at)


def is_gone(folder: Path, path: str) -> bool:
    """Whether there is nothing any more that a document of this path could be from.

    Before a `#` stands a file or, for messages that are files of their own, their folder.

    Args:
        folder: of the source.
        path: of the document, as it is kept.
    """
    try:
        with os.scandir(folder):
            pass
        around = [name for one in files_of(path) if one != path for name in _names(one)]
        return not (
            any(_mode(folder / name) is not None for name in around)
            or any(_is_file(_mode(folder / name)) for name in _names(path))
        )
    except OSError:
        return False


def _names(kept: str) -> Iterator[str]:
    """What a kept path may be called on the disk."""
    yield kept
    if _KEPT_BYTE.search(kept):
        yield _KEPT_BYTE.sub(lambda match: chr(0xDC00 + int(match[1], 16)), kept)


def _is_file(mode: int | None) -> bool:
    return mode is not None and not stat.S_ISDIR(mode)


def _mode(place: Path) -> int | None:
    """None where nothing is. Raises OSError where that cannot be told."""
    try:
        return place.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
