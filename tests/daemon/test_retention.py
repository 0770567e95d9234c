"""Old text leaves the vault, unless a night judges by it or the clock is not to be believed."""

import os
from pathlib import Path

from tests.daemon.collecting.parts import HandClock, until, write
from tests.daemon.limited import DAY, Limited, limited


def aged(house: Limited, name: str, days: float) -> None:
    """A note whose file was changed so many days ago."""
    file = write(house.folder / name, f"words of {name}")
    at = house.clock.now() - days * DAY
    os.utime(file, (at, at))


def waits(house: Limited) -> bool:
    """Whether it is said that old text is still there, and why."""
    return house.retention.waits is not None


async def collected(house: Limited) -> None:
    for name, days in (("old.txt", 40), ("older.txt", 400), ("young.txt", 20)):
        aged(house, name, days)
    await house.collector.rescan()
    assert await house.paths() == ["old.txt", "older.txt", "young.txt"]


async def test_what_is_older_goes_and_is_not_collected_again_until_it_is_lifted(
    tmp_path: Path,
) -> None:
    async with limited(tmp_path) as house:
        await collected(house)
        assert await house.retention.apply() == 0
        assert await house.retention.count(30, None) == 2
        await house.change(retention_days=30)
        assert await house.retention.apply() == 2
        await house.collector.rescan()
        assert await house.paths() == ["young.txt"]
        assert house.collector.report("notes").skipped == {"too_old": 2}
        facts = {"source": "notes", "days": 30, "documents": 2}
        assert await house.events() == [("retention_applied", facts)]
        await house.change(retention_days=None)
        await house.collector.rescan()
        assert await house.paths() == ["old.txt", "older.txt", "young.txt"]
        assert (await house.door.call(lambda vault: vault.verify())).intact


async def test_text_grows_old_in_the_vault_also_when_its_file_is_gone(tmp_path: Path) -> None:
    async with limited(tmp_path) as house:
        await collected(house)
        await house.change(retention_days=30)
        await house.retention.apply()
        (house.folder / "young.txt").unlink()
        for _ in range(11):  # day after day
            house.clock.time += DAY
            house.steady[0] += DAY
            await house.retention.apply()
        assert await house.paths() == []


async def test_nothing_goes_while_a_night_runs_and_all_of_it_after(tmp_path: Path) -> None:
    async with limited(tmp_path) as house:
        await collected(house)
        await house.change(retention_days=30)
        await house.begin_night()
        assert await house.retention.apply_or_wait() == 0
        assert waits(house)
        assert len(await house.paths()) == 3
        later = house.retention._later
        assert later is not None
        await house.nights.stop()
        assert await later == 2
        assert await house.paths() == ["young.txt"]
        assert not waits(house)


async def test_a_clock_that_jumps_empties_nothing_and_is_said_to_wait(tmp_path: Path) -> None:
    async with limited(tmp_path) as house:
        await collected(house)
        await house.change(retention_days=3650)
        assert await house.retention.apply() == 0
        right = house.clock.time
        house.clock.time += 20 * 365 * DAY
        assert await house.retention.apply() == 0
        assert waits(house)
        house.clock.time = right
        assert await house.retention.apply() == 0
        assert not waits(house)
        assert len(await house.paths()) == 3


async def test_the_jump_is_still_known_after_a_restart(tmp_path: Path) -> None:
    def ahead(clock: HandClock) -> None:
        clock.time += 20 * 365 * DAY

    async with limited(tmp_path) as house:
        await collected(house)
        await house.change(retention_days=3650)
        await house.retention.apply()
    async with limited(tmp_path) as house:
        ahead(house.clock)
        assert await house.retention.apply() == 0
    async with limited(tmp_path) as house:
        ahead(house.clock)
        house.clock.time += 0.5 * DAY
        assert await house.retention.apply() == 0
        assert len(await house.paths()) == 3
    async with limited(tmp_path) as house:
        ahead(house.clock)
        house.clock.time += 1.1 * DAY  # nobody put it right for a day
        assert await house.retention.apply() == 3


async def test_before_the_first_look_the_last_day_of_collecting_is_what_was_seen(
    tmp_path: Path,
) -> None:
    async with limited(tmp_path) as house:
        await collected(house)
        await house.change(retention_days=30)
        house.clock.time += 5000 * DAY
        assert await house.retention.apply() == 0
        assert waits(house)


async def test_leaving_ends_what_waits_for_the_night(tmp_path: Path) -> None:
    async with limited(tmp_path) as house:
        await collected(house)
        await house.change(retention_days=30)
        await house.begin_night()
        await house.retention.apply_or_wait()
        await house.retention.leave()
        later = house.retention._later
        assert later is not None
        await until(later.done)
        assert len(await house.paths()) == 3
