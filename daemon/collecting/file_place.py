"""Where a source is: a folder with all that is below it, or one file.

Paths of a source of one file are relative to the folder around it, which is what is watched; all
else in that folder is none of its business. Knows nothing of kinds but which may be a file.
"""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from daemon.collecting.permissions import unreadable
from daemon.errors import SourceMissing, SourceNotAFolder, SourceUnreadable
from storage.records import SourceSettings

FILE_KINDS = frozenset({"mail", "chats"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What paths are relative to, and the name of the only file that counts; None: all do."""

    folder: Path = field(repr=False)
    only: str | None = field(default=None, repr=False)

    def relative(self, place: Path) -> str | None:
        """The path in the source of something at `place`; empty for all of it, None if outside."""
        if self.only is not None:
            return self.only if place == self.folder / self.only else None
        if not place.is_relative_to(self.folder):
            return None
        return "" if place == self.folder else place.relative_to(self.folder).as_posix()

    def identity(self) -> tuple[int, int]:
        """Of the folder; another one when it was replaced.

        Raises:
            SourceMissing, SourceNotAFolder, SourceUnreadable
        """
        try:
            status = self.folder.lstat()
            if self.only is not None:
                self._check_file(self.folder / self.only)
                return status.st_dev, status.st_ino
            if not stat.S_ISDIR(status.st_mode):
                raise SourceNotAFolder
            with os.scandir(self.folder):
                return status.st_dev, status.st_ino
        except FileNotFoundError:
            raise SourceMissing from None
        except NotADirectoryError:
            raise SourceNotAFolder from None
        except OSError as error:
            raise unreadable(self.folder, error) from None

    def _check_file(self, file: Path) -> None:
        if not stat.S_ISREG(file.lstat().st_mode):
            raise SourceNotAFolder
        if not os.access(file, os.R_OK):
            raise SourceUnreadable


def place_of(settings: SourceSettings) -> Place:
    """Where a source is now; one that is missing counts as a folder."""
    path = Path(settings.path)
    if may_be_file(settings) and _is_file(path):
        return Place(folder=path.parent, only=path.name)
    return Place(folder=path)


def may_be_file(settings: SourceSettings) -> bool:
    return settings.kind in FILE_KINDS


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
