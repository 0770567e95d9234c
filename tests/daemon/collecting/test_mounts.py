"""Where the system tells of changes, and how many folders may be watched."""

from pathlib import Path

import pytest

from daemon.collecting.mounts import is_network, is_network_type, type_of
from daemon.collecting.watch_room import most_watches, within

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw,nosuid - proc proc rw
40 22 0:35 / /home/ada/office rw,relatime - cifs //server/share rw
41 22 0:36 / /home/ada/my\040notes rw - fuse.sshfs ada@far: rw
42 22 0:37 / /media/stick rw - fuseblk /dev/sdb1 rw
43 22 0:38 / /home/ada/twice rw - nfs4 server:/twice rw
44 43 0:39 / /home/ada/twice rw - tmpfs tmpfs rw
45 22 0:40 / /host rw - 9p drvfs rw
""".strip().splitlines()


@pytest.mark.parametrize(
    ("folder", "kind", "network"),
    [
        ("/home/ada/notes", "ext4", False),
        ("/home/ada/office/letters", "cifs", True),
        ("/home/ada/officer", "ext4", False),
        ("/home/ada/my notes", "fuse.sshfs", True),
        ("/media/stick/texts", "fuseblk", False),
        ("/home/ada/twice", "tmpfs", False),  # what was mounted last is what is seen
        ("/host/c/Users", "9p", True),
    ],
)
def test_the_file_system_is_that_of_the_deepest_mount(
    folder: str, kind: str, network: bool
) -> None:
    assert type_of(Path(folder), MOUNTS) == kind
    assert is_network_type(kind) is network


def test_lines_of_another_shape_are_passed_over() -> None:
    assert type_of(Path("/a"), ["", "what is this", "1 2 3 - "]) == ""


def test_a_folder_of_this_machine_is_local(tmp_path: Path) -> None:
    assert not is_network(tmp_path)


def test_half_of_the_watches_are_for_others(tmp_path: Path) -> None:
    (tmp_path / "limit").write_text("65536\n")
    assert most_watches(tmp_path / "limit") == 32768
    assert most_watches(tmp_path / "none") == 4096


def test_more_folders_than_there_is_room_for_are_none() -> None:
    assert within(2, ["a", "b"]) == ["a", "b"]
    assert within(2, ["a", "b", "c"]) is None
    assert within(0, []) == []
    assert within(-1, []) == []
