"""Where a source may lie."""

from pathlib import Path

import pytest

from daemon.collecting.placing import place_source
from daemon.errors import (
    SourceError,
    SourceInsideSource,
    SourceIsVault,
    SourceMissing,
    SourceNotAFolder,
)
from daemon.home import Home
from storage.records import SourceSettings
from tests.daemon.collecting.parts import source_settings, write


def place(folder: Path, *others: Path, own: tuple[Path, ...] = ()) -> SourceSettings:
    known = [source_settings(other) for other in others]
    return place_source(source_settings(folder), others=known, own_folders=own)


def test_links_on_the_way_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert place(tmp_path / "link").path == str(tmp_path / "real")


@pytest.mark.parametrize("below", [".", "vault", "run/api"])
def test_our_own_folders_are_refused(tmp_path: Path, below: str) -> None:
    home = Home.under(tmp_path / "home")
    home.create_folders()
    with pytest.raises(SourceIsVault):
        place(tmp_path / "home" / below, own=home.own_folders)


def test_a_folder_around_our_own_is_refused_also_through_a_link(tmp_path: Path) -> None:
    home = Home.under(tmp_path / "user/home")
    home.create_folders()
    (tmp_path / "link").symlink_to("user")
    for folder in (tmp_path / "user", tmp_path / "link"):
        with pytest.raises(SourceIsVault):
            place(folder, own=home.own_folders)


def test_a_home_that_is_not_made_yet_is_protected(tmp_path: Path) -> None:
    with pytest.raises(SourceIsVault):
        place(tmp_path, own=Home.under(tmp_path / "later").own_folders)


def test_sources_do_not_lie_inside_each_other(tmp_path: Path) -> None:
    (tmp_path / "notes/letters").mkdir(parents=True)
    (tmp_path / "notes2").mkdir()
    for one, other in (("notes", "notes/letters"), ("notes/letters", "notes"), ("notes", "notes")):
        with pytest.raises(SourceInsideSource):
            place(tmp_path / one, tmp_path / other)
    assert place(tmp_path / "notes2", tmp_path / "notes")


def test_what_is_not_there_or_no_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing):
        place(tmp_path / "nowhere")
    with pytest.raises(SourceNotAFolder):
        place(write(tmp_path / "a.txt", "x"))


def test_a_loop_of_links_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SourceError) as caught:
        place(tmp_path / "loop")
    assert "loop" not in str(caught.value)
