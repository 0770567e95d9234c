"""Mail, a collector and a real vault: what is kept, what is kept again, and nothing in clear."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.collecting.collector import Collector
from daemon.collecting.reports import ScanCounts
from daemon.collecting.vault_store import VaultStore
from daemon.config import CollectSettings
from daemon.extracting.extractor import Extractor
from daemon.vault_door import VaultDoor
from storage.keys import Argon2Parameters
from storage.records import DocumentState, SourceSettings, StoredDocument
from storage.vault import Vault
from tests.daemon.collecting.parts import HandClock, NoWatcher
from tests.daemon.letters import ANSWER, ME, answer, letter, question, write_maildir, write_mbox

QUICK = Argon2Parameters(time_cost=1, memory_kib=64, lanes=1)
WORDS = ("ladder", "damsons", "Berta", "mill.example")


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    made = Extractor()
    yield made
    made.close()


class Collecting:
    def __init__(self, collector: Collector, door: VaultDoor) -> None:
        self._collector = collector
        self._door = door

    async def scan(self) -> ScanCounts:
        return await self._collector.rescan()

    def skipped(self) -> dict[str, int]:
        return {str(why): count for why, count in self._collector.report("mail").skipped.items()}

    async def kept(self) -> list[StoredDocument]:
        states = list(DocumentState)
        found = await self._door.call(lambda vault: list(vault.documents.read_many(states)))
        return [one for one in found if isinstance(one, StoredDocument)]


@asynccontextmanager
async def collecting(
    tmp_path: Path, place: Path, extractor: Extractor, **more: Any
) -> AsyncIterator[Collecting]:
    vault, _ = Vault.create(tmp_path / "vault", passphrase="seven bees", argon2=QUICK)
    door = VaultDoor(vault)
    collector = Collector(
        store=VaultStore(door),
        settings=CollectSettings(settle_seconds=0),
        clock=HandClock(),
        watcher=NoWatcher(),
        extractor=extractor,
    )
    settings = SourceSettings(name="mail", kind="mail", path=str(place), me=(ME,), **more)
    try:
        collector.add(settings)
        yield Collecting(collector, door)
    finally:
        await collector.close()
        await door.close()


async def test_letters_are_kept_as_turns_and_nothing_of_them_is_in_clear(
    tmp_path: Path, extractor: Extractor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    write_mbox(tmp_path / "mail/Inbox", question())
    write_mbox(tmp_path / "mail/Sent", answer(), letter("Call 555-0134 or ask eve@pear.example."))
    write_maildir(tmp_path / "mail/dir", answer("again", text="Once more: bring the ladder."))
    async with collecting(tmp_path, tmp_path / "mail", extractor) as run:
        counts = await run.scan()
        kept = {one.text: one for one in await run.kept()}
    assert counts.stored == 3
    paired = next(one for text, one in kept.items() if text.endswith(ANSWER))
    assert [turn.own for turn in paired.turns] == [False, True]
    assert paired.text[paired.turns[1].start : paired.turns[1].end] == ANSWER
    assert any("[email 1]" in text for text in kept)
    for file in (tmp_path / "vault").rglob("*"):
        data = file.read_bytes() if file.is_file() else b""
        for word in WORDS:
            assert word.encode() not in data
            assert word.encode("utf-16-le") not in data
    said = " ".join(f"{record.getMessage()} {record.args}" for record in caplog.records)
    assert not [word for word in (*WORDS, "Inbox", ME) if word in said]


async def test_a_growing_mbox_gives_only_its_new_letters(
    tmp_path: Path, extractor: Extractor
) -> None:
    place = write_mbox(tmp_path / "Sent.mbox", letter("First.", name="1"))
    async with collecting(tmp_path, place, extractor) as run:
        assert (await run.scan()).stored == 1
        assert (await run.scan()).unchanged == 1
        write_mbox(place, letter("Second.", name="2"), letter("Away.", X_Autoreply="yes"))
        assert (await run.scan()).stored == 1
        assert sorted(one.text for one in await run.kept()) == ["First.", "Second."]
        assert {one.version for one in await run.kept()} == {1}
        assert run.skipped() == {"automatic": 1}


async def test_copies_of_a_letter_in_other_folders_are_kept_once_and_not_read_again(
    tmp_path: Path, extractor: Extractor
) -> None:
    mine = letter("Only once.", name="1")
    write_mbox(tmp_path / "mail/All", mine, mine)
    write_mbox(tmp_path / "mail/Sent", mine)
    write_maildir(tmp_path / "mail/dir", mine)
    async with collecting(tmp_path, tmp_path / "mail", extractor) as run:
        first, second = await run.scan(), await run.scan()
        assert [one.text for one in await run.kept()] == ["Only once."]
    assert (first.stored, first.duplicates + first.moved) == (1, 2)
    assert (second.stored, second.duplicates, second.unchanged) == (0, 0, 3)


async def test_a_letter_of_a_maildir_stays_when_its_flags_change(
    tmp_path: Path, extractor: Extractor
) -> None:
    write_maildir(tmp_path / "dir", letter("Stays.", name="1"), flags="")
    async with collecting(tmp_path, tmp_path / "dir", extractor, keep_deleted=False) as run:
        await run.scan()
        (file,) = (tmp_path / "dir/cur").iterdir()
        file.rename(f"{str(file).partition(':')[0]}:2,RS")
        again = await run.scan()
        assert [(one.text, one.version) for one in await run.kept()] == [("Stays.", 1)]
    assert again.stored == 0
