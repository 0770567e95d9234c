"""Files of ours among those of others."""

import stat
from pathlib import Path

import pytest

from daemon.installing.errors import NotOurs
from daemon.installing.own_files import is_ours, remove, write

OURS = "# Made by nightloom; again.\nx\n"


def test_what_is_ours_is_written_replaced_and_removed(tmp_path: Path) -> None:
    (written,) = write(tmp_path, {"a/b/c.conf": OURS})
    write(tmp_path, {"a/b/c.conf": OURS + "more\n"})

    assert written.read_text() == OURS + "more\n"
    assert stat.S_IMODE(written.stat().st_mode) & 0o022 == 0
    assert is_ours(written)
    assert remove([written, tmp_path / "gone"]) == [written]
    assert not (tmp_path / "a/b").exists()
    assert not is_ours(written)


def test_what_is_not_ours_is_left_alone_and_nothing_else_is_written(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("mine\n")

    with pytest.raises(NotOurs) as caught:
        write(tmp_path, {"new": OURS, "theirs": OURS})

    assert caught.value.path == tmp_path / "theirs"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["theirs"]
    assert remove([tmp_path / "theirs"]) == []
    assert (tmp_path / "theirs").read_text() == "mine\n"


def test_nothing_is_written_through_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(NotOurs):
        write(tmp_path, {"link": OURS})


def test_neighbours_keep_the_folder(tmp_path: Path) -> None:
    (written,) = write(tmp_path, {"d/ours": OURS})
    (tmp_path / "d/theirs").touch()

    remove([written])

    assert (tmp_path / "d/theirs").exists()
