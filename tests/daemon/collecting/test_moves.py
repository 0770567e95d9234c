"""What was moved stays one document, and what was deleted goes where the user wants that."""

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.collecting.collector import Collector
from daemon.collecting.vanishing import AWAY_SECONDS, FEW, MOST_AWAY_SECONDS, Vanishing, is_away
from daemon.collecting.vault_store import VaultStore
from daemon.collecting.whereabouts import is_gone
from daemon.config import CollectSettings
from daemon.vault_door import VaultDoor
from storage.records import DocumentState, StoredDocument
from storage.vault import Vault
from tests.daemon.collecting.parts import HandClock, NoWatcher, source_settings, write
from tests.storage.making import FAST, PASSPHRASE


class Home:
    """Two sources, a real vault, and looks at everything when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.notes, self.letters = folder / "notes", folder / "letters"
        self.notes.mkdir()
        self.letters.mkdir()
        self.vault, _ = Vault.create(folder / "vault", passphrase=PASSPHRASE, argon2=FAST)
        self.clock = HandClock()
        self.collector = Collector(
            store=VaultStore(VaultDoor(self.vault)),
            settings=CollectSettings(settle_seconds=0.0),
            clock=self.clock,
            watcher=NoWatcher(),
            may_remove=lambda: not self.night,
        )
        self.night = False

    def follow(self, **more: object) -> None:
        notes = replace(source_settings(self.notes), **more)  # type: ignore[arg-type]
        self.collector.add(notes)
        self.collector.add(replace(notes, name="letters", path=str(self.letters)))

    def documents(self) -> list[StoredDocument]:
        live = [state for state in DocumentState if state is not DocumentState.SUPERSEDED]
        found = self.vault.documents.read_many(live)
        return [one for one in found if isinstance(one, StoredDocument)]

    def texts(self) -> dict[str, str]:
        return {f"{one.source}/{one.path}": one.text for one in self.documents()}

    async def look(self, *, later: float = 0.0) -> int:
        """Scan all; how many documents moved."""
        self.clock.advance(later)
        return (await self.collector.rescan()).moved


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    home = Home(tmp_path)
    yield home
    await home.collector.close()
    home.vault.close()


# --------------------------------------------------------------------------- moved


async def test_a_renamed_file_is_the_same_document(home: Home) -> None:
    write(home.notes / "a.txt", "first")
    home.follow()
    await home.look()
    (before,) = home.documents()
    (home.notes / "a.txt").rename(home.notes / "b.txt")
    assert await home.look() == 1
    (after,) = home.documents()
    assert (after.document_id, after.path) == (before.document_id, "b.txt")
    write(home.notes / "b.txt", "first and second", age=9)
    await home.look()
    (edited,) = home.documents()
    assert (edited.item_id, edited.version) == (before.item_id, 2)
    assert edited.text == "first and second"


async def test_a_renamed_folder_keeps_all_its_documents(home: Home) -> None:
    for number in range(5):
        write(home.notes / f"old/deep/{number}.txt", f"note {number}")
    home.follow()
    await home.look()
    before = {one.document_id for one in home.documents()}
    (home.notes / "old").rename(home.notes / "new")
    assert await home.look() == 5
    assert {one.document_id for one in home.documents()} == before
    assert set(home.texts()) == {f"notes/new/deep/{number}.txt" for number in range(5)}
    assert (await home.collector.rescan()).unchanged == 5  # nothing is read again for it


async def test_a_file_moved_to_another_source_goes_there(home: Home) -> None:
    write(home.notes / "a.txt", "words")
    home.follow()
    await home.look()
    (home.notes / "a.txt").rename(home.letters / "a.txt")
    await home.look()
    assert home.texts() == {"letters/a.txt": "words"}


async def test_a_copy_is_no_move(home: Home) -> None:
    write(home.notes / "a.txt", "words")
    home.follow()
    await home.look()
    shutil.copy2(home.notes / "a.txt", home.notes / "b.txt")
    assert await home.look() == 0
    assert home.texts() == {"notes/a.txt": "words"}
    (home.notes / "a.txt").unlink()
    await home.look()
    assert home.texts() == {"notes/b.txt": "words"}


async def test_copies_are_not_read_at_each_scan(home: Home) -> None:
    for name in "abc":
        write(home.notes / f"{name}.txt", "the same words")
    home.follow()
    await home.look()
    again = await home.collector.rescan()
    assert (again.bytes, again.unchanged, again.duplicates) == (0, 1, 2)
    write(home.notes / "b.txt", "other words", age=9)
    write(home.notes / "a.txt", "changed words", age=9)
    assert (await home.collector.rescan()).stored == 3
    assert set(home.texts()) == {"notes/a.txt", "notes/b.txt", "notes/c.txt"}


async def test_a_file_whose_old_place_has_other_text_by_then_is_kept_all_the_same(
    home: Home,
) -> None:
    write(home.notes / "z.txt", "the words that move")
    home.follow()
    await home.look()
    (home.notes / "z.txt").rename(home.notes / "a.txt")  # it is looked at before the other
    write(home.notes / "z.txt", "new words", age=9)
    await home.look()
    assert home.texts() == {"notes/a.txt": "the words that move", "notes/z.txt": "new words"}


async def test_a_file_renamed_over_another_goes_on_as_itself(home: Home) -> None:
    write(home.notes / "a.txt", "the better text")
    write(home.notes / "b.txt", "the older text")
    home.follow()
    await home.look()
    better = next(one for one in home.documents() if one.path == "a.txt")
    (home.notes / "a.txt").rename(home.notes / "b.txt")
    await home.look()
    (after,) = home.documents()
    assert (after.document_id, after.path) == (better.document_id, "b.txt")
    assert home.vault.verify().intact


async def test_a_source_that_is_not_there_has_lost_nothing(home: Home) -> None:
    write(home.notes / "a.txt", "words")
    home.follow()
    await home.look()
    shutil.copy2(home.notes / "a.txt", home.letters / "a.txt")
    home.notes.rename(home.notes.parent / "unmounted")
    assert await home.look() == 0
    assert home.texts() == {"notes/a.txt": "words"}


async def test_what_a_removed_source_gave_goes_on_under_the_next(home: Home) -> None:
    write(home.notes / "a.txt", "words")
    home.follow()
    await home.look()
    await home.collector.remove("notes")
    home.collector.add(replace(source_settings(home.notes), name="again"))
    await home.look()
    assert home.texts() == {"again/a.txt": "words"}


async def test_a_name_that_is_not_utf8_is_found_on_the_disk(home: Home) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    write(home.notes / name, "words")
    home.follow()
    await home.look()
    shutil.copy2(home.notes / name, home.notes / "copy.txt")
    assert await home.look() == 0
    (home.notes / name).unlink()
    assert await home.look() == 1


def test_a_file_of_many_documents_is_gone_when_the_file_is(tmp_path: Path) -> None:
    write(tmp_path / "mail/in#box.mbox", "x")
    assert not is_gone(tmp_path, "mail/in#box.mbox#<1@example>")
    assert is_gone(tmp_path, "mail/in.mbox#<1@example>")
    assert is_gone(tmp_path, "mail/in")


def test_a_message_of_its_own_is_there_while_its_folder_is(tmp_path: Path) -> None:
    (tmp_path / "Sent/cur").mkdir(parents=True)
    assert not is_gone(tmp_path, "Sent/cur#<1@example>")
    assert is_gone(tmp_path, "Sent/cur")  # no file any more
    assert not is_gone(tmp_path / "unmounted", "a.txt")


# --------------------------------------------------------------------------- deleted


async def test_text_stays_when_its_file_goes(home: Home) -> None:
    write(home.notes / "a.txt", "kept")
    write(home.notes / "b.txt", "there")
    home.follow()
    await home.look()
    (home.notes / "a.txt").unlink()
    for _ in range(3):
        await home.look(later=MOST_AWAY_SECONDS)
    assert home.texts() == {"notes/a.txt": "kept", "notes/b.txt": "there"}


async def test_text_goes_with_its_file_where_that_is_wanted(home: Home) -> None:
    for name in "abc":
        write(home.notes / f"{name}.txt", f"text {name}")
    home.follow(keep_deleted=False)
    await home.look()
    (home.notes / "a.txt").unlink()
    await home.look()
    assert len(home.texts()) == 3  # one look is not enough
    await home.look(later=AWAY_SECONDS)
    assert set(home.texts()) == {"notes/b.txt", "notes/c.txt"}
    write(home.notes / "a.txt", "text a")
    await home.look()
    assert len(home.texts()) == 3  # it was not forgotten


async def test_a_file_that_comes_back_between_two_looks_keeps_its_text(home: Home) -> None:
    write(home.notes / "a.txt", "text a")
    write(home.notes / "b.txt", "text b")
    home.follow(keep_deleted=False)
    await home.look()
    (home.notes / "a.txt").rename(home.notes.parent / "a.txt")
    await home.look()
    (home.notes.parent / "a.txt").rename(home.notes / "a.txt")
    await home.look(later=AWAY_SECONDS)
    (home.notes / "a.txt").rename(home.notes.parent / "a.txt")
    await home.look()  # again the first look at which it is away
    assert len(home.texts()) == 2


async def test_a_moved_file_is_not_a_deleted_one(home: Home) -> None:
    write(home.notes / "a.txt", "text a")
    write(home.notes / "b.txt", "text b")
    home.follow(keep_deleted=False)
    await home.look()
    (home.notes / "a.txt").rename(home.notes / "z.txt")
    for _ in range(3):
        await home.look(later=AWAY_SECONDS)
    assert set(home.texts()) == {"notes/b.txt", "notes/z.txt"}


async def test_nothing_goes_while_a_night_may_judge_by_it(home: Home) -> None:
    write(home.notes / "a.txt", "text a")
    write(home.notes / "b.txt", "text b")
    home.follow(keep_deleted=False)
    await home.look()
    (home.notes / "a.txt").unlink()
    await home.look()
    home.night = True
    await home.look(later=AWAY_SECONDS)
    assert len(home.texts()) == 2
    planned = home.collector._followers["notes"]._gatherer.look_again_at
    assert planned == home.clock.now() + AWAY_SECONDS  # and not at once again
    home.night = False
    await home.look(later=AWAY_SECONDS)
    assert set(home.texts()) == {"notes/b.txt"}


async def test_a_missing_or_empty_folder_deletes_nothing(home: Home) -> None:
    write(home.notes / "a.txt", "text a")
    write(home.notes / "sub/b.txt", "text b")
    home.follow(keep_deleted=False)
    await home.look()
    home.notes.rename(home.notes.parent / "unmounted")
    for _ in range(3):
        await home.look(later=MOST_AWAY_SECONDS)
    home.notes.mkdir()  # the place where it was mounted
    for _ in range(3):
        await home.look(later=MOST_AWAY_SECONDS)
    assert len(home.texts()) == 2


async def test_what_is_left_out_is_not_away(home: Home) -> None:
    write(home.notes / "sub/a.txt", "text a")
    write(home.notes / "b.txt", "text b")
    home.follow(keep_deleted=False)
    await home.look()
    home.collector.change(
        replace(source_settings(home.notes), keep_deleted=False, include=("*.md",))
    )
    for _ in range(3):
        await home.look(later=AWAY_SECONDS)
    assert len(home.texts()) == 2


async def test_an_event_of_it_leads_to_the_looks(home: Home) -> None:
    write(home.notes / "a.txt", "text a")
    write(home.notes / "b.txt", "text b")
    home.follow(keep_deleted=False)
    await home.look()
    (home.notes / "a.txt").unlink()
    follower = home.collector._followers["notes"]
    await follower._gatherer.look_at({"a.txt"})
    planned = follower._gatherer.look_again_at
    assert planned is not None
    assert planned - home.clock.now() <= AWAY_SECONDS


def test_most_of_a_source_has_to_be_away_for_hours() -> None:
    away = [f"{number}.txt" for number in range(FEW + 90)]
    vanishing = Vanishing()
    assert vanishing.look(away, files=20, now=0.0) == []
    assert vanishing.look(away, files=20, now=AWAY_SECONDS) == []
    assert vanishing.look_again_at == MOST_AWAY_SECONDS
    assert len(vanishing.look(away, files=20, now=MOST_AWAY_SECONDS)) == len(away)
    assert vanishing.look_again_at is None


@pytest.mark.parametrize(
    ("path", "away"),
    [
        ("there.txt", False),
        ("in.mbox#<1@example>", False),
        ("gone.txt", True),
        ("locked/deep/gone.txt", False),
        ("unlocked/gone.txt", True),
        ("left-out.txt", False),
    ],
)
def test_away_is_what_a_scan_would_have_met(path: str, away: bool) -> None:
    met, left_out = {"there.txt", "in.mbox"}, {"locked", "left-out.txt"}
    assert is_away(path, met, left_out) is away
    assert not is_away(path, met, {""})  # the source itself could not be read
