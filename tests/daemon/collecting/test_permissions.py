"""A folder that may not be read says what to do about it."""

import errno
import os
from pathlib import Path

import pytest

from daemon.collecting.permissions import unreadable
from daemon.collecting.placing import place_source
from daemon.errors import SourceNeedsPermission, SourceUnreadable
from storage.records import SourceSettings

HOME = Path("/Users/ada")
DENIED = PermissionError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize(
    ("folder", "permission"),
    [
        ("/Users/ada/Documents/notes", "Files and Folders"),
        ("/Volumes/stick/notes", "Files and Folders"),
        ("/Users/ada/Library/Mail", "Full Disk Access"),
        ("/Users/ben/notes", "Full Disk Access"),
    ],
)
def test_macos_names_the_permission_that_is_missing(folder: str, permission: str) -> None:
    error = unreadable(Path(folder), DENIED, home=HOME, platform="darwin")
    assert isinstance(error, SourceNeedsPermission)
    assert f"Privacy & Security, {permission}," in str(error)
    assert "ada" not in str(error)


def test_a_mode_that_says_no_needs_no_permission_of_the_system() -> None:
    refused = PermissionError(errno.EACCES, "Permission denied")
    for error, platform in ((refused, "darwin"), (DENIED, "linux")):
        found = unreadable(HOME, error, home=HOME, platform=platform)
        assert type(found) is SourceUnreadable


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_cannot_be_added(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0)
    with pytest.raises(SourceUnreadable):
        place_source(
            SourceSettings(name="n", kind="folder", path=str(folder)), others=(), own_folders=()
        )
