"""A source that is one file: what it is, what of the folder around it matters, and its changes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from daemon.collecting.file_place import place_of
from daemon.collecting.hinting import Changed, Hint
from daemon.collecting.mail_source import MailSource
from daemon.collecting.one_file import NotInASource, files_at
from daemon.collecting.placing import place_source
from daemon.collecting.watching import Watching
from daemon.errors import SourceInsideSource, SourceMissing, SourceNotAFolder
from daemon.trial import source_of
from storage.records import SourceSettings
from tests.daemon.collecting.parts import LIMIT, until, write
from tests.daemon.letters import ME, letter, write_mbox


def settings(place: Path, **more: Any) -> SourceSettings:
    return SourceSettings(**{"name": "m", "kind": "mail", "path": str(place), "me": (ME,), **more})


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    return write_mbox(tmp_path / "mail/Sent.mbox", letter("Words.", name="1"))


def test_one_file_may_be_a_source_of_mail_and_not_of_texts(sent: Path) -> None:
    placed = place_source(settings(sent), others=(), own_folders=())
    assert placed.path == str(sent)
    with pytest.raises(SourceNotAFolder):
        place_source(settings(sent, kind="folder"), others=(), own_folders=())


def test_a_file_lies_in_the_source_around_it_and_beside_other_files(sent: Path) -> None:
    other = write_mbox(sent.parent / "Other.mbox", letter("Words.", name="2"))
    around, beside = settings(sent.parent, name="a", kind="folder"), settings(other, name="b")
    with pytest.raises(SourceInsideSource):
        place_source(settings(sent), others=(around,), own_folders=())
    with pytest.raises(SourceInsideSource):
        place_source(around, others=(settings(sent),), own_folders=())
    assert place_source(settings(sent), others=(beside,), own_folders=())


def test_only_the_file_itself_lies_in_the_source(sent: Path) -> None:
    other = write(sent.parent / "Other.mbox", "x")
    place = place_of(settings(sent))
    assert (place.folder, place.only) == (sent.parent, "Sent.mbox")
    assert place.relative(sent) == "Sent.mbox"
    assert place.relative(other) is None
    assert place.relative(sent.parent) is None
    assert source_of(sent, [settings(sent)]) == (settings(sent), "Sent.mbox")
    assert source_of(other, [settings(sent)]) is None
    source = MailSource(settings(sent), most_bytes=LIMIT)
    assert [one.path for one in files_at([source], sent)] == ["Sent.mbox"]
    with pytest.raises(NotInASource):
        files_at([source], other)


def test_a_file_that_goes_is_missing_and_comes_back(sent: Path) -> None:
    source = MailSource(settings(sent), most_bytes=LIMIT)
    before = source.check()
    data = sent.read_bytes()
    sent.unlink()
    with pytest.raises(SourceMissing):
        source.check()
    sent.with_suffix(".new").write_bytes(data)
    sent.with_suffix(".new").rename(sent)
    assert source.check() == before  # the folder, so that an atomic save is no other place
    assert [one.path for one in source.scan()] == ["Sent.mbox"]
    assert list(source.scan("Other.mbox")) == []


def test_a_link_in_the_place_of_the_file_is_not_followed(sent: Path) -> None:
    source = MailSource(settings(sent), most_bytes=LIMIT)
    sent.rename(sent.with_name("elsewhere"))
    sent.symlink_to("elsewhere")
    with pytest.raises(SourceNotAFolder):
        source.check()


async def test_two_files_of_one_folder_are_watched_apart(sent: Path) -> None:
    other = write(sent.parent / "Other.mbox", "x")
    watching = Watching(asyncio.get_running_loop())
    heard: dict[str, list[str]] = {"Sent.mbox": [], "Other.mbox": []}
    try:
        for place in (sent, other):
            watch(watching, place, heard[place.name])
        watching.unwatch("Other.mbox")
        write(sent.parent / "below/Sent.mbox", "x")
        write(other, "changed")
        write(sent.with_suffix(".new"), "changed").replace(sent)
        await until(lambda: bool(heard["Sent.mbox"]))
    finally:
        watching.close()
    assert set(heard["Sent.mbox"]) == {"Sent.mbox"}
    assert heard["Other.mbox"] == []


def watch(watching: Watching, place: Path, heard: list[str]) -> None:
    source = MailSource(settings(place, name=place.name), most_bytes=LIMIT)

    def concerns(change: Changed) -> bool:
        return source.concerns(change.path, is_folder=change.is_folder)

    def hear(hint: Hint) -> None:
        assert isinstance(hint, Changed)
        heard.append(hint.path)

    watching.watch(place.name, source.folder, concerns=concerns, hint=hear, below=False)
    assert watching.is_watched(place.name)
