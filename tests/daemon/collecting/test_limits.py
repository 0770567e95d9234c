"""What was kept and is not allowed any more leaves; pauses, age and a full vault."""

import os
from pathlib import Path

import pytest

from daemon.collecting.collector import Collector
from daemon.collecting.ignoring import IGNORE_FILE
from daemon.collecting.reports import SourceState
from daemon.collecting.selection import Rule, Selection
from daemon.collecting.vault_store import VaultStore
from daemon.config import CollectSettings
from daemon.errors import VaultQuotaReached
from daemon.vault_door import VaultDoor
from storage.vault import Vault
from tests.daemon.collecting.parts import (
    HandClock,
    MemoryStore,
    NoWatcher,
    gathering,
    source_settings,
    write,
)
from tests.storage.making import FAST, PASSPHRASE

DAY = 86_400


# --------------------------------------------------------------------------- globs for all sources


def test_globs_for_all_sources_are_excludes_and_can_name_places() -> None:
    everywhere = ("*.secret.md", "private/**", "/home/ada/notes/letters/*.txt")
    notes = Selection(include=["*.md", "*.txt"], everywhere=everywhere, place="/home/ada/notes")
    other = Selection(include=["*.md", "*.txt"], everywhere=everywhere, place="/home/ada/other")
    for path in ("x.secret.md", "in/x.secret.md", "private/a.md"):
        assert notes.of_file(path).rule is Rule.EXCLUDED
    assert notes.of_file("letters/a.txt").glob == "/home/ada/notes/letters/*.txt"
    assert other.of_file("letters/a.txt").wanted
    assert notes.of_file("letters/a.md").wanted


@pytest.mark.parametrize("glob", ["/home/ada/notes", "/home/*/notes/", "/home/ada/**", "/HOME/Ada"])
def test_a_place_around_a_source_leaves_out_all_of_it(glob: str) -> None:
    selection = Selection(include=["*.md"], everywhere=[glob], place="/home/ada/notes")
    assert selection.of_file("a.md").rule is Rule.EXCLUDED
    assert selection.of_way("").rule is Rule.EXCLUDED


async def test_a_new_exclusion_removes_what_was_kept_and_lifting_it_brings_it_back(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.txt", "one")
    write(tmp_path / "in/b.txt", "two")
    async with gathering(tmp_path) as run:
        run.collector._make = run.collector._make_source
        await run.collector.remove("notes")
        run.collector.add(source_settings(tmp_path))
        await run.rescan()
        run.collector.exclude(["in"])
        assert await run.collector.sweep() == 1
        assert run.texts == {"a.txt": "one"}
        await run.rescan()
        assert run.collector.report("notes").skipped == {"excluded": 1}
        run.collector.exclude([])
        await run.rescan()
    assert run.texts == {"a.txt": "one", "in/b.txt": "two"}


# --------------------------------------------------------------------------- ignore files, markers


async def test_an_ignore_file_that_comes_removes_what_it_names_and_one_that_goes_brings_it_back(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.txt", "one")
    write(tmp_path / "in/b.txt", "two")
    async with gathering(tmp_path) as run:
        await run.rescan()
        ignores = write(tmp_path / "in" / IGNORE_FILE, "*.txt\n")
        run.hint(f"in/{IGNORE_FILE}")
        await run.until(lambda: run.texts == {"a.txt": "one"})
        assert run.collector.report("notes").skipped == {"ignored": 1}
        ignores.unlink()
        run.hint(f"in/{IGNORE_FILE}")
        await run.until(lambda: run.texts == {"a.txt": "one", "in/b.txt": "two"})


async def test_an_ignore_file_that_changed_while_nobody_watched_counts_at_the_next_start(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.txt", "one")
    store = MemoryStore()
    async with gathering(tmp_path, store=store) as run:
        await run.rescan()
    write(tmp_path / IGNORE_FILE, "a.txt\n")
    async with gathering(tmp_path, store=store) as run:
        await run.rescan()
    assert run.texts == {}


async def test_nothing_is_removed_when_the_folder_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    write(folder / "a.txt", "one")
    write(folder / IGNORE_FILE, "b.txt\n")
    async with gathering(folder) as run:
        await run.rescan()
        folder.rename(tmp_path / "elsewhere")
        await run.until(lambda: run.collector.report("notes").state is SourceState.MISSING)
        assert await run.collector.sweep() == 0
    assert run.texts == {"a.txt": "one"}


async def test_a_file_that_gets_the_marker_leaves_and_comes_back_without_it(tmp_path: Path) -> None:
    write(tmp_path / "a.md", "---\ntitle: Mine\n---\none")
    async with gathering(tmp_path) as run:
        await run.rescan()
        write(tmp_path / "a.md", "---\ntitle: Mine\nnightloom: off\n---\none", age=5)
        await run.rescan()
        assert run.texts == {}
        assert run.collector.report("notes").skipped == {"marked": 1}
        run.reads.clear()
        await run.rescan()
        assert run.reads == []
        write(tmp_path / "a.md", "one", age=9)
        await run.rescan()
    assert run.texts == {"a.md": "one"}


# --------------------------------------------------------------------------- age


async def test_files_older_than_the_retention_are_not_collected(tmp_path: Path) -> None:
    async with gathering(tmp_path, add=False) as run:
        now = run.clock.now()
        for name, days in (("old", 31), ("young", 29)):
            write(tmp_path / f"{name}.txt", f"{name} words")
            os.utime(tmp_path / f"{name}.txt", (now - days * DAY, now - days * DAY))
        run.collector._make = run.collector._make_source
        run.collector.add(source_settings(tmp_path, retention_days=30))
        await run.rescan()
        assert run.texts == {"young.txt": "young words"}
        assert run.collector.report("notes").skipped == {"too_old": 1}
        run.collector.change(source_settings(tmp_path))
        await run.rescan()
        assert set(run.texts) == {"old.txt", "young.txt"}


# --------------------------------------------------------------------------- pauses


class CountingWatcher(NoWatcher):
    """Says that it watches, and what."""

    def __init__(self) -> None:
        self.watched: set[str] = set()

    def watch(self, name: str, folder: Path, **_: object) -> bool:
        self.watched.add(name)
        return True

    def unwatch(self, name: str) -> None:
        self.watched.discard(name)

    def is_watched(self, name: str) -> bool:
        return name in self.watched


async def test_a_paused_source_is_not_watched_and_costs_no_timer(tmp_path: Path) -> None:
    watcher = CountingWatcher()
    async with gathering(tmp_path, watcher=watcher) as run:
        await run.rescan()
        assert watcher.watched == {"notes"}
        run.collector.pause("notes")
        await run.until(lambda: not watcher.watched, ticking=False)
        assert run.collector._followers["notes"]._next_time() == float("inf")
        write(tmp_path / "a.txt", "written in the pause")
        run.collector.resume("notes")
        await run.expect_texts({"a.txt": "written in the pause"})
        await run.until(lambda: watcher.watched == {"notes"}, ticking=False)


async def test_a_source_that_is_paused_when_it_is_added_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "one")
    async with gathering(tmp_path, paused=True) as run:
        await run.rescan()
        assert run.collector.report("notes").state is SourceState.PAUSED
        assert run.texts == {}


async def test_a_pause_of_all_holds_for_new_sources_and_leaves_paused_ones_paused(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.txt", "one")
    async with gathering(tmp_path, add=False) as run:
        run.collector.pause_all()
        run.collector.add(source_settings(tmp_path))
        await run.rescan()
        assert run.texts == {}
        run.collector.pause("notes")
        run.collector.resume_all()
        assert run.collector.report("notes").state is SourceState.PAUSED
        run.collector.pause_all()
        run.collector.resume("notes")
        assert run.collector.report("notes").state is SourceState.PAUSED
        run.collector.resume_all()
        await run.expect_texts({"a.txt": "one"})


async def test_two_reasons_to_pause_all_have_to_go_both(tmp_path: Path) -> None:
    async with gathering(tmp_path) as run:
        run.collector.pause_all("exclusions")
        run.collector.pause_all()
        run.collector.resume_all()
        assert run.collector.report("notes").state is SourceState.PAUSED
        run.collector.resume_all("exclusions")
        await run.expect_state(SourceState.WATCHING)


# --------------------------------------------------------------------------- a full vault


async def test_a_full_vault_is_a_state_and_collecting_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.txt", "one")
    store = MemoryStore()
    store.broken = VaultQuotaReached("2")
    async with gathering(tmp_path, store=store) as run:
        with pytest.raises(VaultQuotaReached):
            await run.rescan()
        report = run.collector.report("notes")
        assert report.state is SourceState.QUOTA
        assert report.last_error == str(store.broken)
        run.reads.clear()
        run.clock.advance(61)
        await run.until(lambda: run.collector.report("notes").state is SourceState.QUOTA)
        assert run.reads == []
        store.broken = None
        await run.until(lambda: run.texts == {"a.txt": "one"})
        await run.until(lambda: run.collector.report("notes").state is SourceState.WATCHING)


async def test_the_quota_stops_the_vault_and_what_was_acknowledged_stays(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    write(notes / "a.txt", "kept " * 100)
    write(notes / "b.txt", "too much " * 100_000)
    vault, _ = Vault.create(tmp_path / "vault", passphrase=PASSPHRASE, argon2=FAST)
    door = VaultDoor(vault)
    store = VaultStore(door, most_bytes=vault.database_bytes() + 400_000)
    clock = HandClock()
    collector = Collector(store=store, settings=CollectSettings(), clock=clock, watcher=NoWatcher())
    try:
        collector.add(source_settings(notes, exclude=("b.txt",)))
        assert (await collector.rescan()).stored == 1
        collector.change(source_settings(notes))
        with pytest.raises(VaultQuotaReached):
            await collector.rescan()
        assert (await door.call(lambda v: v.documents.counts_by_source())) == {"notes": 1}
        assert await store.has_room()  # for less
        write(notes / "b.txt", "short", age=5)
        assert (await collector.rescan()).stored == 1
    finally:
        await collector.close()
        await door.close()


async def test_a_sweep_of_a_vault_removes_all_versions_of_what_is_unwanted(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    write(notes / "in/a.txt", "first")
    write(notes / "b.txt", "other")
    vault, _ = Vault.create(tmp_path / "vault", passphrase=PASSPHRASE, argon2=FAST)
    door = VaultDoor(vault)
    collector = Collector(
        store=VaultStore(door), settings=CollectSettings(), clock=HandClock(), watcher=NoWatcher()
    )
    try:
        collector.add(source_settings(notes))
        await collector.rescan()
        write(notes / "in/a.txt", "second", age=5)
        await collector.rescan()
        collector.exclude(["in"])
        assert await collector.sweep() == 2
        assert [h.version for h in await door.call(lambda v: v.documents.heads())] == [1]
        assert (await door.call(lambda v: v.verify())).intact
        collector.exclude([])
        assert (await collector.rescan()).stored == 1
    finally:
        await collector.close()
        await door.close()
