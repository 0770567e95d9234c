"""What is found in a folder, what is opened, and what never is."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.collecting.folder_source import FolderSource
from daemon.collecting.reading import FileBytes, read_file
from daemon.collecting.skipping import Skipped, SkipReason
from daemon.collecting.source import FoundFile, ReadFile
from daemon.errors import SourceMissing, SourceNotAFolder
from tests.daemon.collecting.parts import LIMIT, source_settings, write


def folder_source(folder: Path, **more: Any) -> FolderSource:
    return FolderSource(source_settings(folder, **more), most_bytes=LIMIT)


def finds(source: FolderSource, path: str = "") -> dict[str, str]:
    return {
        find.path: find.reason if isinstance(find, Skipped) else "found"
        for find in source.scan(path)
    }


def read(source: FolderSource, path: str) -> str | SkipReason:
    (file,) = source.scan(path)
    assert isinstance(file, FoundFile)
    content = source.read(file)
    return next(content.documents).text if isinstance(content, ReadFile) else content


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe.txt")
    return tmp_path / "pipe.txt"


def test_links_pipes_and_sockets_are_seen_and_not_followed(tmp_path: Path, pipe: Path) -> None:
    outside = write(tmp_path.parent / "outside/secret.txt", "not allowed")
    (tmp_path / "link.txt").symlink_to(outside)
    (tmp_path / "linked").symlink_to(outside.parent)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "self.txt").symlink_to("self.txt")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(tmp_path)  # a socket's path has to be short
        listener.bind("socket.txt")
        os.chdir(here)
    assert finds(folder_source(tmp_path)) == {
        "link.txt": "symlink",
        "linked": "symlink",
        "loop": "symlink",
        "self.txt": "symlink",
        "pipe.txt": "not_regular",
        "socket.txt": "not_regular",
    }


def test_a_hint_through_a_link_leads_nowhere(tmp_path: Path) -> None:
    outside = write(tmp_path.parent / "outside2/secret.txt", "not allowed")
    (tmp_path / "linked").symlink_to(outside.parent)
    source = folder_source(tmp_path)
    assert finds(source, "linked") == {"linked": "symlink"}
    file = FoundFile(path="linked/secret.txt", size=11, mtime_ns=0, ctime_ns=0)
    assert source.read(file) in (SkipReason.SYMLINK, SkipReason.VANISHED)


def test_a_file_that_became_a_pipe_is_not_opened(pipe: Path) -> None:
    opened: list[object] = []

    def opener(path: Any, flags: int, **more: Any) -> int:
        opened.append(path)
        return os.open(path, flags, **more)

    assert read_file(pipe.parent, pipe.name, most_bytes=10, open_file=opener) == "not_regular"
    assert opened == [pipe.parent]


def test_hidden_and_excluded_folders_are_not_entered(tmp_path: Path) -> None:
    write(tmp_path / ".git/a.txt", "x")
    write(tmp_path / "private/a.txt", "x")
    write(tmp_path / "public/a.txt", "x")
    assert finds(folder_source(tmp_path, exclude=("private",))) == {
        ".git": "hidden",
        "private": "excluded",
        "public/a.txt": "found",
    }


def test_a_file_that_vanishes_between_scan_and_read_is_no_error(tmp_path: Path) -> None:
    file = write(tmp_path / "a.txt", "soon gone")
    source = folder_source(tmp_path)
    (found,) = source.scan()
    assert isinstance(found, FoundFile)
    file.unlink()
    assert source.read(found) is SkipReason.VANISHED


def test_a_file_that_changes_while_it_is_read_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "a.txt", "first words")
    real_read = os.read

    def read_while_somebody_writes(descriptor: int, size: int) -> bytes:
        data = real_read(descriptor, size)
        with file.open("a") as writer:
            writer.write(" and more")
        return data

    monkeypatch.setattr(os, "read", read_while_somebody_writes)
    assert read(folder_source(tmp_path), "a.txt") is SkipReason.CHANGING


def test_an_unreadable_file_costs_one_file(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "x")

    def opener(path: Any, flags: int, **more: Any) -> int:
        if path == "a.txt":
            raise PermissionError(errno.EACCES, "no")
        return os.open(path, flags, **more)

    source = FolderSource(source_settings(tmp_path), most_bytes=LIMIT, open_file=opener)
    assert read(source, "a.txt") is SkipReason.UNREADABLE


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_unreadable(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "x").chmod(0)
    assert read(folder_source(tmp_path), "a.txt") is SkipReason.UNREADABLE


def test_a_huge_file_is_not_opened(tmp_path: Path) -> None:
    with write(tmp_path / "log.txt", "").open("wb") as file:
        file.truncate(10 << 30)
    assert read(folder_source(tmp_path), "log.txt") is SkipReason.TOO_LARGE


def test_a_very_deep_folder_is_walked(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 300)
    write(tmp_path / deep / "a.txt", "deep")
    assert finds(folder_source(tmp_path)) == {f"{deep}/a.txt": "found"}


def test_reading_gives_the_state_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "words")
    content = read_file(tmp_path, "a.txt", most_bytes=100)
    assert isinstance(content, FileBytes)
    assert content.size == 5
    assert "words" not in repr(content)


@pytest.mark.parametrize(
    ("path", "is_folder", "matters"),
    [
        ("a.txt", False, True),
        ("a.jpg", False, False),
        (".git/a.txt", False, False),
        ("sub", True, True),
        (".git/sub", True, False),
        ("x", True, False),
        ("", True, True),
    ],
)
def test_only_what_can_matter_is_taken_as_a_hint(
    tmp_path: Path, path: str, is_folder: bool, matters: bool
) -> None:
    source = folder_source(tmp_path, exclude=("x",))
    assert source.concerns(path, is_folder=is_folder) is matters


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing):
        folder_source(tmp_path / "nowhere").check()
    with pytest.raises(SourceNotAFolder):
        folder_source(write(tmp_path / "a.txt", "x")).check()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(SourceNotAFolder):
        folder_source(tmp_path / "link").check()


def test_a_scan_of_a_missing_folder_is_no_crash(tmp_path: Path) -> None:
    source: Iterator[Any] = folder_source(tmp_path / "nowhere").scan()
    assert [find.reason for find in source] == [SkipReason.VANISHED]
