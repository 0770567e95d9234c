"""When a source is looked at, how far that is, and what becomes of it when it is interrupted."""

import asyncio
from pathlib import Path

import pytest

from daemon.collecting.following import LONGEST_DEBOUNCE
from daemon.collecting.hinting import ManyChanged
from daemon.collecting.reports import ScanProgress
from daemon.collecting.skipping import Skipped, SkipReason
from daemon.collecting.source import FoundFile, ReadFile
from daemon.config import CollectSettings
from tests.daemon.collecting.parts import Gathering, MemoryStore, ReadCounter, gathering, write

PAUSE = CollectSettings().debounce_seconds


async def quiet(run: Gathering) -> None:
    """Whatever is to be done at this moment is done."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_burst_of_events_costs_one_look(tmp_path: Path) -> None:
    async with gathering(tmp_path) as run:
        await run.rescan()
        for name in ("a.txt", "b.txt", "a.txt", "c.txt"):
            write(tmp_path / name, f"text of {name}")
            run.hint(name)
            run.clock.advance(0.9 * PAUSE)
            await quiet(run)
            assert run.texts == {}
        run.clock.advance(PAUSE)
        await run.until(lambda: len(run.texts) == 3, ticking=False)
    assert len(run.store.batches) == 1
    assert sorted(run.reads) == ["a.txt", "b.txt", "c.txt"]


async def test_changes_that_do_not_end_are_looked_at_all_the_same(tmp_path: Path) -> None:
    async with gathering(tmp_path) as run:
        await run.rescan()
        write(tmp_path / "a.txt", "text")
        for _ in range(2 * LONGEST_DEBOUNCE):
            run.hint("a.txt")
            run.clock.advance(0.5 * PAUSE)
            await quiet(run)
        await run.until(lambda: run.texts == {"a.txt": "text"}, ticking=False)


async def test_too_many_changes_to_name_are_one_scan_when_they_end(tmp_path: Path) -> None:
    async with gathering(tmp_path) as run:
        await run.rescan()
        for number in range(3):
            write(tmp_path / f"{number}.txt", f"note {number}")
            run.collector._followers["notes"].hint(ManyChanged())
            await quiet(run)
        assert run.texts == {}
        await run.until(lambda: len(run.texts) == 3)
    assert len(run.store.batches) == 1


async def test_a_rescan_that_somebody_asks_for_waits_for_no_pause(tmp_path: Path) -> None:
    async with gathering(tmp_path) as run:
        await run.collector.rescan()
        write(tmp_path / "a.txt", "text")
        run.hint("a.txt")
        assert (await run.collector.rescan()).stored == 1


async def test_a_scan_that_is_stopped_keeps_what_was_read_and_goes_on_with_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        write(tmp_path / f"{number}.txt", f"note {number}")
    store, real = MemoryStore(), ReadCounter.read

    async with gathering(tmp_path, store=store) as run:

        def stop_at_the_third(self: ReadCounter, file: FoundFile) -> ReadFile | SkipReason:
            if file.path == "2.txt":
                run.collector._followers["notes"]._gatherer.stopped = True
            return real(self, file)

        monkeypatch.setattr(ReadCounter, "read", stop_at_the_third)
        await run.collector.rescan()
        assert run.collector.report("notes").last_scan_at is None
        assert not run.collector.first_scan("notes").done()
    assert sorted(store.texts) == ["0.txt", "1.txt", "2.txt"]
    monkeypatch.setattr(ReadCounter, "read", real)
    async with gathering(tmp_path, store=store) as run:
        await run.collector.rescan()
    assert len(store.texts) == 9
    assert run.reads == [f"{number}.txt" for number in range(3, 9)]


async def test_how_far_a_scan_is_can_be_seen_while_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        write(tmp_path / f"{number}.txt", "x" * 100 + str(number))
    seen: list[ScanProgress | None] = []
    real = MemoryStore.put_many

    async with gathering(tmp_path) as run:

        async def look(self: MemoryStore, documents: list[object]) -> object:
            seen.append(run.collector.report("notes").scan)
            return await real(self, documents)  # type: ignore[arg-type]

        monkeypatch.setattr(MemoryStore, "put_many", look)
        await run.rescan()
        assert run.collector.report("notes").scan is None
    (scan,) = seen
    assert scan is not None
    assert (scan.files, scan.total_files, scan.total_bytes) == (0, 3, 303)


async def test_the_first_scan_is_over_when_what_moved_has_come_to_rest(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "at rest")
    async with gathering(tmp_path) as run:
        write(tmp_path / "b.txt", "being written", age=run.clock.now())  # after all clocks
        first = run.collector.first_scan("notes")
        await run.until(lambda: len(run.texts) == 1, ticking=False)
        assert not first.done()
        await run.until(first.done)
    assert (first.result().stored, first.result().files) == (2, 3)


async def test_what_failed_is_named_on_request_and_tried_again_when_it_changes(
    tmp_path: Path,
) -> None:
    large = write(tmp_path / "log.txt", b"")
    with large.open("r+b") as file:
        file.truncate(10 << 30)  # 10 GB, of which nothing is on the disk
    write(tmp_path / "song.txt", b"\x00\x01" * 50)
    async with gathering(tmp_path) as run:
        await run.rescan()
        assert run.collector.failed("notes", 10) == [
            Skipped(path="log.txt", reason=SkipReason.TOO_LARGE)
        ]
        assert run.collector.failed("notes", 0) == []
        write(large, "only this is left", age=5)
        await run.rescan()
        assert run.collector.failed("notes", 10) == []
    assert run.texts == {"log.txt": "only this is left"}


async def test_names_of_what_failed_are_in_no_repr(tmp_path: Path) -> None:
    with (write(tmp_path / "my-diary.txt", b"")).open("r+b") as file:
        file.truncate(1 << 30)
    async with gathering(tmp_path) as run:
        await run.rescan()
        assert "diary" not in repr(run.collector.failed("notes", 10))
