"""File events of the real system reach the event loop, and what they lose is said."""

import asyncio
import errno
import logging
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, Mask, WatchDescriptor

from daemon.collecting.hinting import (
    MOST_HINTS,
    Changed,
    EventsLost,
    Hint,
    HintBox,
    ManyChanged,
)
from daemon.collecting.linux_watching import FolderWatches, InotifyThread
from daemon.collecting.reports import SourceState
from daemon.collecting.watching import Watching, WhyPolled
from daemon.config import CollectSettings
from tests.daemon.collecting.parts import Gathering, gathering, until, write

SOON = CollectSettings(debounce_seconds=0.0, settle_seconds=0.0, poll_minutes=0.1)


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Gathering]:
    """A collector that hears the real events of a folder; its clock stands still."""
    folder = tmp_path / "notes"
    folder.mkdir()
    watcher = Watching(asyncio.get_running_loop())
    async with gathering(folder, watcher=watcher, settings=SOON) as run:
        await run.collector.rescan()
        assert run.collector.report("notes").watched
        yield run


def watches_of(run: Gathering) -> FolderWatches:
    watcher = run.collector._watcher
    assert isinstance(watcher, Watching)
    watches = watcher._system._sources["notes"]  # type: ignore[attr-defined]
    assert isinstance(watches, FolderWatches)
    return watches


def thread(run: Gathering) -> InotifyThread:
    return watches_of(run)._thread


async def test_a_new_file_is_collected_without_a_rescan(live: Gathering) -> None:
    (live.folder / "a.txt").write_text("new")
    await live.expect_texts({"a.txt": "new"})


async def test_an_edit_is_a_new_version(live: Gathering) -> None:
    (live.folder / "a.txt").write_text("first")
    await live.expect_texts({"a.txt": "first"})
    with (live.folder / "a.txt").open("a") as file:
        file.write(" and second")
    await live.expect_texts({"a.txt": "first and second"})


async def test_an_atomic_save_is_a_change(live: Gathering) -> None:
    (live.folder / "a.txt").write_text("old")
    await live.expect_texts({"a.txt": "old"})
    (live.folder / ".a.txt.tmp").write_text("new")
    (live.folder / ".a.txt.tmp").rename(live.folder / "a.txt")
    await live.expect_texts({"a.txt": "new"})
    assert live.collector.report("notes").skipped == {}


async def test_a_folder_that_is_moved_in_is_collected_with_all_in_it(live: Gathering) -> None:
    write(live.folder.parent / "elsewhere/deep/a.txt", "moved")
    (live.folder.parent / "elsewhere").rename(live.folder / "letters")
    await live.expect_texts({"letters/deep/a.txt": "moved"})


async def test_a_folder_that_is_removed_is_noticed_and_watched_again(live: Gathering) -> None:
    live.folder.rmdir()
    await live.expect_state(SourceState.MISSING)
    live.folder.mkdir()
    await live.until(lambda: live.collector.report("notes").watched)
    (live.folder / "a.txt").write_text("back")
    await live.expect_texts({"a.txt": "back"})


async def test_our_own_reading_is_no_hint(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "x")
    hints: list[Hint] = []
    watching = Watching(asyncio.get_running_loop())
    watching.watch("n", tmp_path, concerns=lambda _: True, hint=hints.append)
    (tmp_path / "a.txt").read_text()
    (tmp_path / "end.txt").write_text("x")
    await until(lambda: Changed(path="end.txt", is_folder=False) in hints)
    await asyncio.to_thread(watching.close)
    assert Changed(path="a.txt", is_folder=False) not in hints


async def test_lost_events_lead_to_a_rescan(
    live: Gathering, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = live.collector._followers["notes"]
    monkeypatch.setattr(follower._source, "concerns", lambda *_, **__: False)  # events say nothing
    (live.folder / "a.txt").write_text("missed")
    overflow = Mask(InotifyConstants.IN_Q_OVERFLOW)
    thread(live).handle_event(InotifyEvent(WatchDescriptor(-1), overflow, 0, b""))
    await live.expect_texts({"a.txt": "missed"})


async def test_after_lost_events_new_folders_are_watched_too(live: Gathering) -> None:
    watches = watches_of(live)
    watches._watch_of["never-seen"] = WatchDescriptor(-7)  # its event was among the lost ones
    (live.folder / "never-seen").mkdir()
    overflow = Mask(InotifyConstants.IN_Q_OVERFLOW)
    thread(live).handle_event(InotifyEvent(WatchDescriptor(-1), overflow, 0, b""))
    await live.until(lambda: watches_of(live) is not watches, ticking=False)
    await live.until(lambda: len(watches_of(live)) == 2, ticking=False)
    (live.folder / "never-seen/a.txt").write_text("told of")
    await live.expect_texts({"never-seen/a.txt": "told of"})


async def test_a_folder_that_is_renamed_is_still_heard_of(live: Gathering) -> None:
    write(live.folder / "old/deep/a.txt", "first")
    await live.expect_texts({"old/deep/a.txt": "first"})
    (live.folder / "old").rename(live.folder / "new")
    await live.expect_texts({"new/deep/a.txt": "first"})
    (live.folder / "new/deep/a.txt").write_text("first and second")
    await live.expect_texts({"new/deep/a.txt": "first and second"})
    assert set(watches_of(live)._watch_of) == {"", "new", "new/deep"}


async def test_a_folder_renamed_over_an_empty_one_is_heard_of(live: Gathering) -> None:
    for name in ("full/deep", "empty"):
        (live.folder / name).mkdir(parents=True)
    await live.until(lambda: len(watches_of(live)) == 4, ticking=False)
    (live.folder / "full").rename(live.folder / "empty")
    await live.until(
        lambda: set(watches_of(live)._watch_of) == {"", "empty", "empty/deep"}, ticking=False
    )
    (live.folder / "empty/deep/a.txt").write_text("told of")
    await live.expect_texts({"empty/deep/a.txt": "told of"})


async def test_a_folder_that_is_moved_away_is_watched_no_more(live: Gathering) -> None:
    write(live.folder / "gone/deep/a.txt", "kept")
    await live.expect_texts({"gone/deep/a.txt": "kept"})
    (live.folder / "gone").rename(live.folder.parent / "elsewhere")
    await live.until(lambda: set(watches_of(live)._watch_of) == {""}, ticking=False)
    assert live.texts == {"gone/deep/a.txt": "kept"}


async def test_hidden_and_excluded_folders_take_no_watches(tmp_path: Path) -> None:
    for name in (".git/objects/ab", "node_modules/x", "notes/2026"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "elsewhere").symlink_to(tmp_path.parent)
    watcher = Watching(asyncio.get_running_loop())
    async with gathering(
        tmp_path, watcher=watcher, settings=SOON, exclude=("node_modules",)
    ) as run:
        await run.collector.rescan()
        assert set(watches_of(run)._watch_of) == {"", "notes", "notes/2026"}


async def test_a_source_with_more_folders_than_there_is_room_for_is_looked_through(
    tmp_path: Path,
) -> None:
    write(tmp_path / "sub/deep/a.txt", "found by the scan")
    watcher = Watching(asyncio.get_running_loop(), room=lambda: 2)
    async with gathering(tmp_path, watcher=watcher, settings=SOON) as run:
        await run.collector.rescan()
        report = run.collector.report("notes")
        assert run.texts == {"sub/deep/a.txt": "found by the scan"}
        assert not report.watched
        assert report.why_polled is WhyPolled.NO_ROOM
        assert report.last_error is None
        write(tmp_path / "b.txt", "later")
        await run.until(lambda: "b.txt" in run.texts)  # though nobody asked


async def test_the_room_is_one_for_all_sources(tmp_path: Path) -> None:
    watcher = Watching(asyncio.get_running_loop(), room=lambda: 3)
    for name in ("one/a", "two/b"):
        (tmp_path / name).mkdir(parents=True)

    def watch(name: str) -> bool:
        return watcher.watch(name, tmp_path / name, concerns=lambda _: True, hint=lambda _: None)

    assert watch("one")
    assert not watch("two")
    assert watch("one")  # again: what it has is not counted twice
    watcher.unwatch("one")
    assert watch("two")
    await asyncio.to_thread(watcher.close)


async def test_a_source_that_outgrows_its_room_is_looked_through_from_then_on(
    tmp_path: Path,
) -> None:
    watcher = Watching(asyncio.get_running_loop(), room=lambda: 2)
    async with gathering(tmp_path, watcher=watcher, settings=SOON) as run:
        await run.collector.rescan()
        assert run.collector.report("notes").watched
        (tmp_path / "one").mkdir()
        (tmp_path / "two").mkdir()
        await run.until(lambda: not run.collector.report("notes").watched, ticking=False)
        write(tmp_path / "two/a.txt", "found")
        await run.until(lambda: run.texts == {"two/a.txt": "found"})


async def test_a_network_file_system_is_looked_through(tmp_path: Path) -> None:
    watcher = Watching(asyncio.get_running_loop(), network=lambda _: True)
    async with gathering(tmp_path, watcher=watcher, settings=SOON) as run:
        await run.collector.rescan()
        assert run.collector.report("notes").why_polled is WhyPolled.NETWORK
        write(tmp_path / "a.txt", "from another machine")
        await run.until(lambda: run.texts == {"a.txt": "from another machine"})


async def test_without_inotify_the_looks_remain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(self: InotifyThread) -> None:
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    monkeypatch.setattr(InotifyThread, "__init__", none_left)
    write(tmp_path / "a.txt", "x")
    watcher = Watching(asyncio.get_running_loop())
    async with gathering(tmp_path, watcher=watcher, settings=SOON) as run:
        await run.collector.rescan()
        assert run.texts == {"a.txt": "x"}
        assert run.collector.report("notes").why_polled is WhyPolled.NO_EVENTS


async def test_a_watched_source_sleeps_until_something_happens(live: Gathering) -> None:
    follower = live.collector._followers["notes"]
    await live.until(lambda: follower._next_time() == math.inf, ticking=False)


async def test_hints_after_the_loop_are_dropped() -> None:
    loop = asyncio.new_event_loop()
    hints: list[Hint] = []
    box = HintBox(loop, hints.append)
    loop.close()
    box.say(EventsLost())
    assert hints == []


async def test_equal_hints_are_one_and_too_many_are_named_as_such() -> None:
    hints: list[Hint] = []
    box = HintBox(asyncio.get_running_loop(), hints.append)
    for number in [*range(MOST_HINTS + 1000), *range(100)]:
        box.say(Changed(path=f"{number}.txt", is_folder=False))
    box.say(Changed(path="", is_folder=True))
    await until(lambda: bool(hints))
    assert len(hints) == MOST_HINTS + 2
    assert hints[-2:] == [ManyChanged(), Changed(path="", is_folder=True)]


async def test_an_event_that_cannot_be_heard_costs_a_rescan_and_names_nothing(
    live: Gathering, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(change: Changed) -> bool:
        raise RecursionError(change.path)

    monkeypatch.setattr(watches_of(live), "_concerns", broken)
    (live.folder / "my-secret-diary.txt").write_text("dear diary")
    await live.expect_texts({"my-secret-diary.txt": "dear diary"})
    assert live.collector.report("notes").watched
    assert "RecursionError" in caplog.text
    assert "secret" not in caplog.text


async def test_names_of_files_do_not_reach_the_log(
    live: Gathering, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("watchdog").setLevel(logging.CRITICAL)  # as Watching does
    (live.folder / "my-secret-diary.txt").write_text("dear diary")
    await live.until(lambda: bool(live.texts), ticking=False)
    assert "secret" not in caplog.text


def test_a_lost_event_has_no_path() -> None:
    assert repr(EventsLost()) == "EventsLost()"
    assert "diary" not in repr(Changed(path="diary.txt", is_folder=False))
