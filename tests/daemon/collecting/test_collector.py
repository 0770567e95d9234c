"""A folder on disk, a collector over it, and what arrives in the store."""

import asyncio
import os
from pathlib import Path

import pytest

from daemon.collecting.batching import MOST_BYTES, MOST_DOCUMENTS
from daemon.collecting.collector import Collector
from daemon.collecting.reports import ScanCounts, SourceState
from daemon.config import CollectSettings
from daemon.errors import SourceUnknown, UnsupportedKind
from storage.errors import StorageFull
from storage.records import SourceSettings
from tests.daemon.collecting.parts import (
    MemoryStore,
    NoWatcher,
    gathering,
    write,
)


async def test_files_of_the_folder_are_kept_as_text(tmp_path: Path) -> None:
    write(tmp_path / "diary.md", "The bees flew late.")
    write(tmp_path / "letters/to-anna.txt", "Dear Anna,\r\nthe honey is in.")
    write(tmp_path / "photo.jpg", b"\xff\xd8\xff")
    async with gathering(tmp_path) as run:
        await run.rescan()
        report = run.collector.report("notes")
    assert run.texts == {
        "diary.md": "The bees flew late.",
        "letters/to-anna.txt": "Dear Anna,\nthe honey is in.",
    }
    assert report.documents == 2
    assert report.skipped == {"not_included": 1}
    assert report.last_scan_at is not None


async def test_secrets_do_not_reach_the_store(tmp_path: Path) -> None:
    write(tmp_path / "note.txt", "write to anna@example.org")
    async with gathering(tmp_path) as run:
        await run.rescan()
    assert run.texts == {"note.txt": "write to [email 1]"}


async def test_a_rescan_reads_only_what_changed(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "one")
    write(tmp_path / "b.txt", "two")
    async with gathering(tmp_path) as run:
        await run.rescan()
        run.reads.clear()
        await run.rescan()
        assert run.reads == []
        write(tmp_path / "b.txt", "two and more", age=5)
        await run.rescan()
        assert run.reads == ["b.txt"]
    assert run.texts["b.txt"] == "two and more"


async def test_after_a_restart_unchanged_files_are_not_read_again(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "one")
    store = MemoryStore()
    async with gathering(tmp_path, store=store) as run:
        await run.rescan()
    async with gathering(tmp_path, store=store) as run:
        await run.rescan()
        assert run.reads == []
        assert run.collector.report("notes").documents == 1


async def test_binary_files_are_named_by_reason_and_not_read_at_every_rescan(
    tmp_path: Path,
) -> None:
    write(tmp_path / "song.txt", b"\x00\x01\x02" * 50)
    write(tmp_path / "nothing.txt", b"")
    write(tmp_path / "log.txt", b"x" * (11 << 20))
    async with gathering(tmp_path) as run:
        await run.rescan()
        run.reads.clear()
        await run.rescan()
        assert run.reads == []
        assert run.collector.report("notes").skipped == {"binary": 1, "empty": 1, "too_large": 1}
    assert run.texts == {}


async def test_a_copy_is_wanted_again_while_the_other_file_may_change(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "the same words")
    write(tmp_path / "b.txt", "the same words")
    async with gathering(tmp_path) as run:
        await run.rescan()
        assert run.texts == {"a.txt": "the same words"}
        write(tmp_path / "a.txt", "other words now", age=5)
        await run.rescan()
        await run.rescan()
    assert run.texts["b.txt"] == "the same words"


async def test_a_file_that_is_being_written_is_taken_when_it_rests(tmp_path: Path) -> None:
    async with gathering(tmp_path) as run:
        file = write(tmp_path / "draft.txt", "half a sen")
        os.utime(file, (run.clock.now() + 1e6, run.clock.now() + 1e6))  # later than now: not old
        scan = asyncio.ensure_future(run.collector.rescan())
        await run.until(
            lambda: run.collector.report("notes").skipped == {"changing": 1}, ticking=False
        )
        assert run.texts == {}
        run.clock.advance(2.0)
        await scan
    assert run.texts == {"draft.txt": "half a sen"}


async def test_a_vanished_file_keeps_its_stored_document(tmp_path: Path) -> None:
    file = write(tmp_path / "a.txt", "kept")
    async with gathering(tmp_path) as run:
        await run.rescan()
        file.unlink()
        await run.rescan()
        assert run.collector.report("notes").documents == 1
    assert run.texts == {"a.txt": "kept"}


async def test_a_folder_that_disappears_is_a_state_and_is_taken_up_again(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    write(folder / "a.txt", "one")
    async with gathering(folder) as run:
        await run.rescan()
        folder.rename(tmp_path / "elsewhere")
        await run.until(lambda: run.collector.report("notes").state is SourceState.MISSING)
        report = run.collector.report("notes")
        assert report.documents == 1
        assert report.last_error is not None
        assert "notes" not in report.last_error
        (tmp_path / "elsewhere").rename(folder)
        write(folder / "b.txt", "two")
        await run.until(lambda: "b.txt" in run.texts)
        assert run.collector.report("notes").state is SourceState.WATCHING


async def test_a_folder_that_is_missing_at_the_start_is_waited_for(tmp_path: Path) -> None:
    async with gathering(tmp_path / "notes") as run:
        assert await run.collector.rescan() == ScanCounts()
        assert run.collector.report("notes").state is SourceState.MISSING
        write(tmp_path / "notes/a.txt", "there at last")
        await run.until(lambda: run.texts == {"a.txt": "there at last"})


async def test_a_paused_source_collects_nothing_until_it_is_resumed(tmp_path: Path) -> None:
    async with gathering(tmp_path) as run:
        await run.rescan()
        run.collector.pause("notes")
        write(tmp_path / "a.txt", "written in the pause")
        await run.rescan()
        assert run.texts == {}
        assert run.collector.report("notes").state is SourceState.PAUSED
        run.collector.resume("notes")
        await run.until(lambda: run.texts == {"a.txt": "written in the pause"})


async def test_a_vault_that_refuses_is_reported_and_tried_again(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "one")
    store = MemoryStore()
    store.broken = StorageFull()
    async with gathering(tmp_path, store=store) as run:
        with pytest.raises(StorageFull):
            await run.rescan()
        assert run.collector.report("notes").last_error == str(StorageFull())
        store.broken = None
        await run.until(lambda: run.texts == {"a.txt": "one"})
        await run.until(lambda: run.collector.report("notes").last_error != str(StorageFull()))


async def test_transactions_stay_small_however_much_there_is(tmp_path: Path) -> None:
    for number in range(MOST_DOCUMENTS + 50):
        write(tmp_path / f"small{number}.txt", f"note {number}")
    for number in range(5):
        write(tmp_path / f"z{number}.txt", f"{number}" * (MOST_BYTES // 3))
    async with gathering(tmp_path) as run:
        await run.rescan()
    assert len(run.texts) == MOST_DOCUMENTS + 55
    assert all(len(batch) <= MOST_DOCUMENTS for batch in run.store.batches)
    sizes = [sum(len(document.text) for document in batch) for batch in run.store.batches]
    assert max(sizes) <= MOST_BYTES


async def test_many_hints_at_once_make_few_transactions(tmp_path: Path) -> None:
    async with gathering(tmp_path) as run:
        await run.rescan()
        for number in range(50):
            write(tmp_path / f"new/{number}.txt", f"note {number}")
            run.hint(f"new/{number}.txt")
        run.hint("new", is_folder=True)
        await run.until(lambda: len(run.texts) == 50)
    assert len(run.store.batches) == 1
    assert len(run.reads) == 50


async def test_one_file_that_breaks_its_reader_costs_one_file(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "good")
    write(tmp_path / "broken.txt", "bad")
    async with gathering(tmp_path) as run:
        run.breaks_on.add("broken.txt")
        await run.rescan()
        assert run.texts == {"a.txt": "good"}
        assert run.collector.report("notes").skipped == {"unreadable": 1}
        run.breaks_on.clear()
        await run.rescan()  # though the file did not change
        assert run.texts == {"a.txt": "good", "broken.txt": "bad"}
        assert run.collector.report("notes").skipped == {}


async def test_a_scan_says_how_far_it_is(tmp_path: Path) -> None:
    for number in range(MOST_DOCUMENTS + 1):
        write(tmp_path / f"{number}.txt", f"note {number}")
    async with gathering(tmp_path) as run:
        await run.rescan()
    seen = [(step.files, step.total_files) for step in run.progress]
    assert seen == [(MOST_DOCUMENTS, MOST_DOCUMENTS + 1), (MOST_DOCUMENTS + 1, MOST_DOCUMENTS + 1)]
    assert run.progress[-1].bytes == run.progress[-1].total_bytes


async def test_a_removed_source_is_followed_no_more(tmp_path: Path) -> None:
    async with gathering(tmp_path) as run:
        await run.rescan()
        await run.collector.remove("notes")
        assert run.collector.reports() == []
        with pytest.raises(SourceUnknown):
            await run.collector.rescan("notes")


async def test_an_unknown_kind_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    collector = Collector(store=MemoryStore(), settings=CollectSettings(), watcher=NoWatcher())
    with pytest.raises(UnsupportedKind, match="folder"):
        await collector.place(SourceSettings(name="n", kind="telepathy", path=str(tmp_path)))
    await collector.close()


async def test_names_that_are_not_utf8_are_collected(tmp_path: Path) -> None:
    write(tmp_path / os.fsdecode(b"caf\xe9.txt"), "named in latin-1")
    async with gathering(tmp_path) as run:
        await run.rescan()
    assert run.texts == {"caf\\udce9.txt": "named in latin-1"}


async def test_reports_show_no_paths_when_they_are_printed(tmp_path: Path) -> None:
    async with gathering(tmp_path) as run:
        assert str(tmp_path) not in repr(run.collector.report("notes"))
