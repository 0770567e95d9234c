"""File events of the real system reach the event loop, and what they lose is said."""

import asyncio
import errno
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, Mask, WatchDescriptor

from daemon.collecting.linux_observer import LinuxObserver, OutspokenInotify
from daemon.collecting.reports import SourceState
from daemon.collecting.watching import Changed, EventsLost, Hint, Watching
from daemon.config import CollectSettings
from tests.daemon.collecting.parts import Gathering, gathering, until, write

SOON = CollectSettings(debounce_seconds=0.0, settle_seconds=0.0)


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
    watcher = follower._watcher
    assert isinstance(watcher, Watching)
    observer = watcher._observer
    assert isinstance(observer, LinuxObserver)
    overflow = Mask(InotifyConstants.IN_Q_OVERFLOW)
    observer._inotify_fd.handle_event(InotifyEvent(WatchDescriptor(-1), overflow, 0, b""))
    await live.expect_texts({"a.txt": "missed"})


async def test_too_few_watches_are_said_and_rescans_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "sub/a.txt", "found by the scan")
    real = OutspokenInotify.__mro__[1].add_callback  # type: ignore[attr-defined]

    def only_the_root(self: object, path: bytes, *rest: object) -> object:
        if path != os.fsencode(tmp_path):
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        return real(self, path, *rest)

    monkeypatch.setattr(OutspokenInotify.__mro__[1], "add_callback", only_the_root)
    watcher = Watching(asyncio.get_running_loop())
    async with gathering(tmp_path, watcher=watcher, settings=SOON) as run:
        await run.collector.rescan()
        report = run.collector.report("notes")
    assert run.texts == {"sub/a.txt": "found by the scan"}
    assert not report.watched
    assert "max_user_watches" in (report.last_error or "")


async def test_without_inotify_the_rescan_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(self: Watching) -> None:
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    monkeypatch.setattr(Watching, "_make_observer", none_left)
    write(tmp_path / "a.txt", "x")
    watcher = Watching(asyncio.get_running_loop())
    async with gathering(tmp_path, watcher=watcher, settings=SOON) as run:
        await run.collector.rescan()
        assert run.texts == {"a.txt": "x"}
        assert not run.collector.report("notes").watched


async def test_hints_after_the_loop_are_dropped(tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    hints: list[Hint] = []
    watching = Watching(loop)
    watching.watch("n", tmp_path, concerns=lambda _: True, hint=hints.append)
    loop.close()
    watching._lost()
    await asyncio.to_thread(watching.close)
    assert hints == []


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
