"""Where a source may lie: not around or in our own folders, not in or around another source."""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

from daemon.collecting.file_place import may_be_file
from daemon.collecting.permissions import unreadable
from daemon.errors import (
    SourceInsideSource,
    SourceIsVault,
    SourceMissing,
    SourceNotAFolder,
    SourceUnreadable,
)
from storage.records import SourceSettings


def place_source(
    settings: SourceSettings, *, others: Iterable[SourceSettings], own_folders: Iterable[Path]
) -> SourceSettings:
    """The settings with the path as it really is, all links followed once, here.

    Raises:
        SourceMissing, SourceNotAFolder, SourceUnreadable, SourceIsVault, SourceInsideSource
    """
    try:
        folder = Path(settings.path).expanduser().resolve(strict=True)
        if may_be_file(settings) and folder.is_file():
            if not os.access(folder, os.R_OK):
                raise SourceUnreadable
        else:
            with os.scandir(folder):
                pass
    except FileNotFoundError:
        raise SourceMissing from None
    except NotADirectoryError:
        raise SourceNotAFolder from None
    except OSError as error:
        raise unreadable(Path(settings.path), error) from None
    except RuntimeError:  # a loop of links
        raise SourceUnreadable from None
    if any(_overlap(folder, own) for own in own_folders):
        raise SourceIsVault
    if any(_overlap(folder, Path(other.path)) for other in others):
        raise SourceInsideSource
    return dataclasses.replace(settings, path=str(folder))


def _overlap(one: Path, other: Path) -> bool:
    return _contains(one, other) or _contains(other, one)


def _contains(outer: Path, inner: Path) -> bool:
    """By identity, so that capitals on macOS and bind mounts do not deceive."""
    inner = inner.resolve()
    try:
        identity = outer.stat()
    except OSError:
        return inner.is_relative_to(outer.resolve())
    for folder in (inner, *inner.parents):
        try:
            if os.path.samestat(folder.stat(), identity):
                return True
        except OSError:
            continue
    return False
