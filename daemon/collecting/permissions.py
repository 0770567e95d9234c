"""Which permission is missing where the system does not let a folder be read. Pure.

macOS keeps programs out of some folders whatever their mode says (EPERM), and asks or tells nobody:
the user has to know under which name it is given.
"""

import errno
import sys
from pathlib import Path

from daemon.errors import SourceNeedsPermission, SourceUnreadable

FULL_DISK_ACCESS = "Full Disk Access"
FILES_AND_FOLDERS = "Files and Folders"
_ASKED_FOR = ("Desktop", "Documents", "Downloads")
_VOLUMES = Path("/Volumes")


def unreadable(
    folder: Path, error: OSError, *, home: Path | None = None, platform: str = sys.platform
) -> SourceUnreadable:
    """The error that says what to do.

    Args:
        home: the user's; the process's own by default.
    """
    if platform != "darwin" or error.errno != errno.EPERM:
        return SourceUnreadable()
    return SourceNeedsPermission(_permission(folder, home or Path.home()))


def _permission(folder: Path, home: Path) -> str:
    """macOS has a switch for some folders and for disks that are not built in; Mail's, Messages'
    and all other guarded places need the one for everything.
    """
    asked_for = (*(home / name for name in _ASKED_FOR), _VOLUMES)
    return FILES_AND_FOLDERS if any(map(folder.is_relative_to, asked_for)) else FULL_DISK_ACCESS
