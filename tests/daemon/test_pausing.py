"""Everything stands still until its time has come or a person says so."""

import math
from pathlib import Path

import pytest

from daemon.collecting.reports import SourceState
from daemon.errors import Paused
from daemon.pausing import Pause
from storage.errors import StorageFull
from storage.settings import KeptSettings
from tests.daemon.collecting.parts import until, write
from tests.daemon.limited import Limited, limited
from tests.storage.making import flipped, tampering


def test_what_is_left_of_a_pause() -> None:
    endless, hour = Pause(since=1000.0, seconds=None), Pause(since=1000.0, seconds=3600.0)
    assert endless.left(5e9) == math.inf
    assert [hour.left(now) for now in (1000.0, 2000.0, 4600.0, 9e9)] == [3600.0, 2600.0, 0.0, 0.0]
    assert hour.left(-5e9) == 3600.0  # a clock that went back makes no pause longer
    assert (endless.until, hour.until) == (None, 4600.0)


def state(house: Limited) -> SourceState:
    return house.collector.report("notes").state


async def test_a_pause_stops_collecting_and_the_night_and_resume_goes_on(tmp_path: Path) -> None:
    async with limited(tmp_path) as house:
        await house.collector.rescan()
        await house.begin_night()
        await house.pausing.pause(None)
        assert house.night.stopped.is_set()
        assert not house.nights.runs
        assert state(house) is SourceState.PAUSED
        with pytest.raises(Paused, match="nightloom is paused; "):
            house.pausing.check()
        write(house.folder / "a.txt", "written in the pause")
        await house.collector.rescan()
        assert await house.paths() == []
        assert await house.pausing.resume()
        house.pausing.check()
        await house.collector.rescan()
        assert await house.paths() == ["a.txt"]
        assert not await house.pausing.resume()
        assert await house.events() == [("paused", {"seconds": None}), ("resumed", {})]


async def test_who_wants_to_know_of_a_pause_is_told_at_once(tmp_path: Path) -> None:
    async with limited(tmp_path) as house:
        told: list[bool] = []
        house.pausing.on_change(lambda: told.append(house.pausing.now is not None))
        await house.pausing.pause(7200.0)
        await house.pausing.resume()
        assert told == [True, False]
        await house.pausing.pause(60.0)
        house.clock.time += 61.0
        house.pausing._look()  # as the timer does
        await until(lambda: told == [True, False, True, False])


async def test_a_pause_outlasts_a_restart(tmp_path: Path) -> None:
    async with limited(tmp_path) as house:
        await house.pausing.pause(7200.0)
    write(tmp_path / "notes/a.txt", "written meanwhile")
    async with limited(tmp_path) as house:
        assert state(house) is SourceState.PAUSED
        with pytest.raises(Paused, match=r"paused until \d{4}-\d\d-\d\d \d\d:\d\d;"):
            house.pausing.check()
        await house.collector.rescan()
        assert await house.paths() == []


async def test_a_pause_ends_by_itself_when_the_clock_says_so(tmp_path: Path) -> None:
    async with limited(tmp_path) as house:
        await house.pausing.pause(7200.0)
        house.pausing._look()  # as the timer does, which was too early
        assert state(house) is SourceState.PAUSED
        house.clock.time += 7200.0
        house.pausing.check()  # from now on, whether the timer came or not
        house.pausing._look()
        await until(lambda: state(house) is SourceState.WATCHING)
    async with limited(tmp_path) as house:
        assert state(house) is SourceState.WATCHING


async def test_a_pause_ends_also_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with limited(tmp_path) as house:
        await house.pausing.pause(60.0)
        house.clock.time += 61.0

        def full(*_: object) -> None:
            raise StorageFull

        with monkeypatch.context() as patched:
            patched.setattr(KeptSettings, "put", full)
            house.pausing._look()
            await until(lambda: state(house) is SourceState.WATCHING)
        house.pausing.check()


async def test_a_pause_whose_time_came_while_the_service_was_down_is_over(tmp_path: Path) -> None:
    async with limited(tmp_path) as house:
        house.clock.time -= 9000.0
        await house.pausing.pause(60.0)
    async with limited(tmp_path) as house:
        assert house.pausing.now is None
        await until(lambda: state(house) is SourceState.WATCHING)


async def test_a_real_timer_ends_a_pause(tmp_path: Path) -> None:
    async with limited(tmp_path) as house:
        await house.pausing.pause(3600.0)
        house.clock.time += 3600.0 - 1e-3
        house.pausing._wait()
        house.clock.time += 1.0
        await until(lambda: state(house) is SourceState.WATCHING)


async def test_a_new_pause_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    async with limited(tmp_path) as house:
        await house.pausing.pause(60.0)
        await house.pausing.pause(None)
        house.clock.time += 61.0
        assert house.pausing.now is not None


async def test_a_pause_that_cannot_be_read_goes_on_until_a_person_ends_it(tmp_path: Path) -> None:
    async with limited(tmp_path, add=False) as house:
        await house.door.call(lambda vault: vault.sources.remove("notes"))
        await house.pausing.pause(60.0)
    with tampering(tmp_path / "vault") as database:
        (sealed,) = database.execute("SELECT sealed FROM sources").fetchone()
        database.execute("UPDATE sources SET sealed = ?", [flipped(sealed, 300)])
    async with limited(tmp_path) as house:
        house.clock.time += 1e6
        assert house.pausing.now is not None
        assert await house.pausing.resume()
    async with limited(tmp_path) as house:
        assert house.pausing.now is None
