"""Exports of chats in a folder or by themselves, through the real child into a store."""

import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.collecting.chats_source import EXPORTS, ChatsSource
from daemon.collecting.collector import Collector
from daemon.collecting.skipping import SkipReason
from daemon.collecting.source import FoundFile, ReadFile
from daemon.config import CollectSettings
from daemon.errors import ChatsNameNobody
from daemon.extracting.extractor import Extractor
from storage.records import CollectedDocument, SourceSettings
from tests.daemon.collecting.parts import LIMIT, HandClock, MemoryStore, NoWatcher, until, write

ROOT = Path(__file__).parents[3]
ME = "Max Ohm"
FIRST = f"31.12.23, 22:05 - Ada: still up?\n31.12.23, 22:06 - {ME}: reading\n"
SECOND = f"01.01.24, 12:00 - {ME}: good morning\n"
MORE = f"01.01.24, 12:01 - Ada: is it?\n01.01.24, 12:02 - {ME}: noon\n"
ANSWERED = [
    {
        "id": "k",
        "current_node": "1",
        "mapping": {
            "1": {
                "parent": None,
                "message": {
                    "author": {"role": "user"},
                    "content": {"content_type": "text", "parts": ["How do knots hold?"]},
                },
            }
        },
    }
]


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        one = Extractor()
        yield one
        one.close()


def settings(place: Path, **more: Any) -> SourceSettings:
    given = {"include": EXPORTS, "me": (ME,), **more}
    return SourceSettings(name="notes", kind="chats", path=str(place), **given)


def source(place: Path, extractor: Extractor, **more: Any) -> ChatsSource:
    return ChatsSource(settings(place, **more), most_bytes=LIMIT, extractor=extractor)


def read(one: ChatsSource, path: str) -> list[CollectedDocument] | SkipReason:
    (file,) = one.scan(path)
    assert isinstance(file, FoundFile)
    content = one.read(file)
    return list(content.documents) if isinstance(content, ReadFile) else content


@asynccontextmanager
async def collecting(
    folder: Path, extractor: Extractor
) -> AsyncIterator[tuple[Collector, MemoryStore]]:
    store = MemoryStore()
    collector = Collector(
        store=store,
        settings=CollectSettings(settle_seconds=0),
        extractor=extractor,
        clock=HandClock(),
        watcher=NoWatcher(),
    )
    try:
        collector.add(await collector.place(settings(folder)))
        yield collector, store
    finally:
        await collector.close()


def test_conversations_are_documents_of_their_file(tmp_path: Path, extractor: Extractor) -> None:
    write(tmp_path / "a/chat.txt", FIRST + SECOND)
    found = read(source(tmp_path, extractor), "a/chat.txt")
    assert not isinstance(found, SkipReason)
    assert [one.path for one in found] == [
        "a/chat.txt#2023-12-31T22:05:00",
        "a/chat.txt#2024-01-01T12:00:00",
    ]
    first = found[0]
    assert first.text == "A: still up?\n\nme: reading"
    assert [(turn.speaker, turn.own) for turn in first.turns] == [("A", False), ("me", True)]
    assert "Ada" not in repr(first)
    assert "reading" not in repr(first)


def test_conversations_older_than_the_retention_are_left_out(
    tmp_path: Path, extractor: Extractor
) -> None:
    write(tmp_path / "chat.txt", FIRST + SECOND, age=4_150_000)  # exported just now
    noon_after = 1_704_110_400 + 12 * 3600.0
    one = ChatsSource(
        settings(tmp_path, retention_days=1),
        most_bytes=LIMIT,
        extractor=extractor,
        now=lambda: noon_after,
    )
    found = read(one, "chat.txt")
    assert not isinstance(found, SkipReason)
    assert [document.text for document in found] == ["me: good morning"]


def test_one_file_may_be_a_source(tmp_path: Path, extractor: Extractor) -> None:
    chat = write(tmp_path / "chat.txt", FIRST)
    write(tmp_path / "other.txt", SECOND)
    one = source(chat, extractor)
    assert [find.path for find in one.scan()] == ["chat.txt"]
    assert not isinstance(read(one, "chat.txt"), SkipReason)


def test_what_is_excluded_excludes_its_conversations(tmp_path: Path, extractor: Extractor) -> None:
    one = source(tmp_path, extractor, exclude=("private.txt",))
    assert one.excludes("private.txt#2024-01-01T12:00:00")
    assert not one.excludes("other.txt#2024-01-01T12:00:00")


def test_what_gives_nothing_says_why(tmp_path: Path, extractor: Extractor) -> None:
    write(tmp_path / "chat.txt", FIRST)
    write(tmp_path / "notes.txt", "Nothing that was said.\n")
    write(tmp_path / "cut.json", json.dumps(ANSWERED)[:-9])
    one = source(tmp_path, extractor, me=("Tim",))
    assert read(one, "chat.txt") is SkipReason.NOT_NAMED
    assert read(one, "notes.txt") is SkipReason.UNKNOWN_FORMAT
    assert read(one, "cut.json") is SkipReason.DAMAGED


def test_at_the_beginning_it_is_asked_who_the_user_is(tmp_path: Path, extractor: Extractor) -> None:
    write(tmp_path / "chat.txt", FIRST)
    source(tmp_path, extractor).check_settings()
    for me in ((), ("Tim",)):
        with pytest.raises(ChatsNameNobody) as error:
            source(tmp_path, extractor, me=me).check_settings()
        assert "2 people" in str(error.value)
        assert "Ada" not in str(error.value)


def test_who_speaks_is_told_where_none_is_the_user(tmp_path: Path, extractor: Extractor) -> None:
    write(tmp_path / "chat.txt", FIRST)
    write(tmp_path / "second.txt", FIRST.replace("Ada", "Oona"))
    assert source(tmp_path, extractor).speakers() == []
    names = source(tmp_path, extractor, me=("Tim",)).speakers()
    assert names[0] == ME  # who is in most of them
    assert sorted(names[1:]) == ["Ada", "Oona"]


def test_nobody_needs_a_name_where_no_names_stand(tmp_path: Path, extractor: Extractor) -> None:
    write(tmp_path / "conversations.json", json.dumps(ANSWERED))
    one = source(tmp_path, extractor, me=())
    one.check_settings()
    assert not isinstance(read(one, "conversations.json"), SkipReason)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-le", "cp1252"])
def test_the_confined_child_reads_any_encoding(
    tmp_path: Path, extractor: Extractor, encoding: str
) -> None:
    line = f"31.12.23, 22:05 - {ME}: schöne Grüße aus der Küche\n"
    write(tmp_path / "chat.txt", (line * 20).encode(encoding))
    if encoding == "utf-32-le":
        write(tmp_path / "chat.txt", b"\xff\xfe\0\0" + (line * 20).encode(encoding))
    found = read(source(tmp_path, extractor), "chat.txt")
    assert not isinstance(found, SkipReason)
    assert found[0].text.count("schöne Grüße aus der Küche") == 20


def test_the_confined_child_reads_archives(tmp_path: Path, extractor: Extractor) -> None:
    with zipfile.ZipFile(tmp_path / "chat.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_chat.txt", FIRST + SECOND)
        archive.writestr("00000001-PHOTO.jpg", b"\xff\xd8")
    found = read(source(tmp_path, extractor), "chat.zip")
    assert not isinstance(found, SkipReason)
    assert [one.path for one in found] == [
        "chat.zip#2023-12-31T22:05:00",
        "chat.zip#2024-01-01T12:00:00",
    ]


async def test_a_source_without_the_user_is_not_added(tmp_path: Path, extractor: Extractor) -> None:
    write(tmp_path / "chat.txt", FIRST)
    async with collecting(tmp_path, extractor) as (collector, _):
        other = write(tmp_path.parent / f"{tmp_path.name}-other/chat.txt", FIRST)
        nobody = replace(settings(other), name="other", me=())
        with pytest.raises(ChatsNameNobody):
            await collector.place(nobody)
        assert sorted(await collector.speakers(nobody)) == ["Ada", ME]
        assert await collector.speakers(replace(nobody, me=(ME,))) == []


async def test_a_grown_export_gives_what_is_new_alone(tmp_path: Path, extractor: Extractor) -> None:
    write(tmp_path / "chat.txt", FIRST + SECOND)
    write(tmp_path / "conversations.json", json.dumps(ANSWERED))
    async with collecting(tmp_path, extractor) as (collector, store):
        await until(lambda: len(store.texts) == 3)
        before = dict(store.texts)
        stored = store.batches[:]
        third = f"05.01.24, 09:00 - {ME}: back\n"
        write(tmp_path / "chat.txt", FIRST + SECOND + MORE + third, age=5)
        await collector.rescan()
        new = [one for batch in store.batches[len(stored) :] for one in batch]
        assert len(new) == 3  # the other file was not read again
        assert store.texts == {
            **before,
            "chat.txt#2024-01-01T12:00:00": "me: good morning\n\nA: is it?\n\nme: noon",
            "chat.txt#2024-01-05T09:00:00": "me: back",
        }


async def test_an_export_under_another_name_brings_nothing_twice(
    tmp_path: Path, extractor: Extractor
) -> None:
    write(tmp_path / "chat.txt", FIRST + SECOND)
    async with collecting(tmp_path, extractor) as (collector, store):
        await until(lambda: len(store.texts) == 2)
        before = set(store.texts.values())
        write(tmp_path / "chat (1).txt", FIRST + SECOND + f"05.01.24, 09:00 - {ME}: back\n")
        await collector.rescan()
        assert sorted(store.texts.values()) == sorted([*before, "me: back"])
        batches = len(store.batches)
        await collector.rescan()
        assert len(store.batches) == batches  # and is not read again for that
