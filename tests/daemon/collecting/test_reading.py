"""Files that lie side by side: their folder is opened once, and no link is followed for that."""

import os
from pathlib import Path
from typing import Any

from daemon.collecting.reading import Below, FileBytes
from daemon.collecting.skipping import SkipReason
from daemon.collecting.source import FoundFile
from tests.daemon.collecting.parts import write


class Opener:
    """Opens, and notes what and what is still open."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.descriptors: list[int] = []

    def __call__(self, path: Any, flags: int, **more: Any) -> int:
        descriptor = os.open(path, flags, **more)
        self.names.append(Path(path).name)
        self.descriptors.append(descriptor)
        return descriptor

    def left_open(self) -> list[int]:
        return [one for one in self.descriptors if Path(f"/dev/fd/{one}").exists()]


def text(content: FileBytes | SkipReason) -> str:
    return content.data.decode() if isinstance(content, FileBytes) else str(content)


def read_all(below: Below, *paths: str) -> list[str]:
    return [text(below.read(path, most_bytes=100)) for path in paths]


def test_a_folder_is_opened_once_for_files_side_by_side(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / "in/deep" / name, name)
    write(tmp_path / "c", "c")
    opener = Opener()
    below = Below(tmp_path, open_file=opener)
    below.stay()
    assert read_all(below, "in/deep/a", "in/deep/b", "c") == ["a", "b", "c"]
    assert opener.names == [tmp_path.name, "in", "deep", "a", "b", tmp_path.name, "c"]
    below.leave()
    assert opener.left_open() == []


def test_who_does_not_stay_leaves_nothing_open(tmp_path: Path) -> None:
    write(tmp_path / "in/a", "a")
    opener = Opener()
    below = Below(tmp_path, open_file=opener)
    assert read_all(below, "in/a", "in/gone", "nowhere/a") == ["a", "vanished", "vanished"]
    assert opener.left_open() == []


def test_a_folder_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "in/a", "ours")
    write(tmp_path / "in/b", "ours")
    write(tmp_path / "other/a", "ours too")
    outside = tmp_path.with_name("outside")
    write(outside / "a", "not allowed")
    write(outside / "b", "not allowed")
    below = Below(tmp_path)
    below.stay()
    assert read_all(below, "in/a") == ["ours"]
    (tmp_path / "in").rename(tmp_path / "moved")
    (tmp_path / "in").symlink_to(outside)
    assert read_all(below, "in/b") == ["ours"]  # as a moment before
    assert read_all(below, "other/a", "in/a") == ["ours too", "vanished"]
    below.leave()
    assert read_all(below, "in/b") == ["vanished"]


def test_a_file_in_pieces_is_read_whole(tmp_path: Path, monkeypatch: Any) -> None:
    write(tmp_path / "a", "first second third")
    real_read = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, size: real_read(descriptor, min(size, 6)))
    assert read_all(Below(tmp_path), "a") == ["first second third"]


def test_a_file_that_is_found_does_not_tell_its_name() -> None:
    assert "letter" not in repr(FoundFile("letter.txt", 1, 2, 3))
