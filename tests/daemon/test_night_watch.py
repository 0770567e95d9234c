"""What nights are told, scene by scene; the clock is moved by hand."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.conditions.decision import Asked
from daemon.errors import NightMayNot
from daemon.night_account import WORK, is_contiguous, lost, told_of_nights
from daemon.pausing import Pause
from tests.daemon.nightly import Scene, moment, scene
from tests.storage.making import written

Events = list[tuple[float, Callable[[Scene], Awaitable[None] | None]]]


def say(name: str, holds: bool | None) -> Callable[[Scene], None]:
    return lambda one: one.tell(name, holds)


def ends(state: str) -> Callable[[Scene], None]:
    return lambda one: one.nights.end(state)


def asleep(seconds: float) -> Callable[[Scene], None]:
    return lambda one: one.sleep(seconds)


BEGIN = (60.0, "begin")  # all scenes begin a minute before the window

SCENES: dict[str, tuple[Events, list[tuple[float, str]]]] = {
    "all holds": ([], [BEGIN]),
    "the plug is pulled in mid-step, and put in again": (
        [(100.0, say("power", False)), (110.0, say("power", True))],
        [BEGIN, (100.0, "hold power"), (230.0, "go on")],
    ),
    "the plug is pulled for longer than the grace time": (
        [(100.0, say("power", False)), (131.0, say("power", True))],
        [BEGIN, (100.0, "hold power"), (251.0, "begin")],  # it was let go, and its memory with it
    ),
    "a plug that is loose": (
        [
            (100.0, say("power", False)),
            (101.0, say("power", True)),
            (150.0, say("power", False)),
            (151.0, say("power", True)),
            (270.0, say("power", False)),
            (271.0, say("power", True)),
        ],
        [BEGIN, (100.0, "hold power"), (391.0, "go on")],
    ),
    "the user is back for five seconds": (
        [(100.0, say("presence", False)), (105.0, say("presence", True))],
        [BEGIN, (100.0, "hold presence"), (135.0, "go on")],
    ),
    "memory is low for a moment": (
        [(100.0, say("memory", False)), (100.0, say("memory", True))],
        [BEGIN, (100.0, "hold memory"), (130.0, "go on")],
    ),
    "D-Bus is gone and back": (
        [
            (100.0, say("power", None)),
            (100.0, say("presence", None)),
            (140.0, say("presence", True)),
            (140.0, say("power", True)),
        ],
        [BEGIN, (100.0, "hold power"), (260.0, "begin")],
    ),
    "nobody can tell about the power": (
        [(0.0, say("power", None)), (200.0, say("power", True))],
        [(320.0, "begin")],
    ),
    "a film is playing": (
        [(0.0, say("inhibited", False)), (5000.0, say("inhibited", True))],
        [(5030.0, "begin")],
    ),
    "the processor is hot": (
        [(100.0, say("temperature", False)), (400.0, say("temperature", True))],
        [BEGIN, (100.0, "hold temperature"), (430.0, "begin")],
    ),
    "the machine sleeps in mid-step": (
        [(100.0, asleep(3600.0))],
        [BEGIN, (3700.0, "hold power"), (3820.0, "go on")],
    ),
    "a night is done and there is text for another": (
        [(200.0, ends("done"))],
        [BEGIN, (200.0, "begin")],
    ),
    "a refused night is not tried again before the next window": (
        [(200.0, ends("refused"))],
        [BEGIN],
    ),
    "failed nights are tried again, later each time, and not a third time": (
        [(200.0, ends("failed")), (1200.0, ends("failed")), (9000.0, ends("failed"))],
        [BEGIN, (1100.0, "begin"), (8400.0, "begin")],
    ),
}


@pytest.mark.parametrize("name", SCENES)
async def test_scene(tmp_path: Path, name: str) -> None:
    events, expected = SCENES[name]
    async with scene(tmp_path) as one:
        for at, happens in events:
            await one.go_on_for(max(0.0, one.start + at - one.wall))
            happens(one)
        await one.go_on_for(max(0.0, one.start + 10_000.0 - one.wall))
        assert one.told == expected
        _every_second_is_counted(one)


HAPPENINGS: dict[str, Callable[[Scene], Awaitable[None] | None]] = {
    **{f"{name} {holds}": say(name, holds) for name in ("power", "presence", "memory")
       for holds in (True, False, None)},
    "sleep": asleep(4000.0),
    "the clock is set back": asleep(-900.0),
    "done": lambda one: ends("done")(one) if one.nights.runs else None,
    "failed": lambda one: ends("failed")(one) if one.nights.runs else None,
    "stop": lambda one: one.watch.not_tonight(),
}  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.0, 4000.0), st.sampled_from(sorted(HAPPENINGS))), max_size=12)
)
def test_whatever_happens_every_second_of_the_window_is_accounted_for(
    happenings: list[tuple[float, str]],
) -> None:
    async def live(folder: Path) -> None:
        async with scene(folder, start="2026-07-14T06:00:00") as one:
            for seconds, name in happenings:
                await one.go_on_for(seconds)
                done = HAPPENINGS[name](one)
                if done is not None:
                    await done
            await one.go_on_for(60.0)
            _every_second_is_counted(one)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(Path(folder)))


def _every_second_is_counted(one: Scene) -> None:
    for account in one.accounts.all:
        assert is_contiguous(account)
        end = account.until if account.end is None else min(account.end, one.latest)
        assert account.until == pytest.approx(end, abs=1e-3)
        work = sum(each.seconds for each in account.stretches if each.what == WORK)
        assert work + sum(lost(account.stretches).values()) == pytest.approx(end - account.begin)


async def test_at_the_end_of_the_window_the_night_is_saved_and_taken_up_in_the_next(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, start="2026-07-14T07:55:00") as one:
        await one.until("2026-07-14T22:00:30")
        assert one.told == [
            (0.0, "begin"),
            (5 * 60.0, "stop"),
            (14 * 3600.0 + 5 * 60.0, "begin"),
        ]
        assert len(one.nights.records) == 1  # the same night
        _every_second_is_counted(one)


@pytest.mark.parametrize(
    ("start", "hours"), [("2026-03-28T21:59:00", 9), ("2026-10-24T21:59:00", 11)]
)
async def test_a_night_in_which_the_clock_is_changed(
    tmp_path: Path, start: str, hours: int
) -> None:
    async with scene(tmp_path, start) as one:
        await one.go_on_for(12 * 3600.0)
        assert one.told == [BEGIN, (60.0 + hours * 3600.0, "stop")]
        (account,) = one.accounts.all
        assert sum(each.seconds for each in account.stretches) == hours * 3600.0


async def test_the_machine_is_kept_awake_while_a_night_works_on_power(tmp_path: Path) -> None:
    async with scene(tmp_path) as one:
        await one.until("2026-07-13T22:10:00")
        await asyncio.sleep(0)
        assert one.waker.held
        one.tell("temperature", False)
        await one.watch.look()
        assert not one.waker.held


async def test_a_night_on_battery_lets_the_machine_sleep(tmp_path: Path) -> None:
    async with scene(tmp_path) as one:
        one.tell("power", False)
        await one.watch.allow(Asked(now=True, on_battery=True))
        one.nights.begin()
        await one.watch.look()
        await asyncio.sleep(0)
        assert (one.nights.runs, one.nights.held, one.waker.held) == (True, None, False)


async def test_before_a_sleep_the_night_is_saved_and_none_begins(tmp_path: Path) -> None:
    async with scene(tmp_path, start="2026-07-13T22:00:00") as one:
        await one.go_on_for(10.0)
        await one.watch.going_to_sleep()
        await one.watch.look()
        assert one.told == [(0.0, "begin"), (10.0, "stop")]
        one.sleep(3600.0)
        one.watch.woke_up()
        await one.go_on_for(3600.0)
        assert one.told[2:] == [(3730.0, "begin")]


async def test_a_service_that_ends_begins_nothing_more(tmp_path: Path) -> None:
    async with scene(tmp_path, start="2026-07-13T22:00:00") as one:
        await one.go_on_for(10.0)
        await one.watch.stand_down()
        await one.go_on_for(600.0)
        assert one.told == [(0.0, "begin"), (10.0, "stop")]


async def test_a_person_may_ask_at_any_time_and_heat_says_no(tmp_path: Path) -> None:
    async with scene(tmp_path, start="2026-07-13T15:00:00") as one:
        one.tell("presence", False)
        one.tell("temperature", False)
        with pytest.raises(NightMayNot, match="temperature"):
            await one.watch.allow(Asked(now=True))
        one.tell("temperature", True)
        one.tell("power", False)
        with pytest.raises(NightMayNot, match="power"):
            await one.watch.allow(Asked(now=True))
        await one.watch.allow(Asked(now=True, on_battery=True))
        one.nights.begin()
        await one.go_on_for(600.0)
        assert one.told == [(0.0, "begin")]
        one.tell("memory", False)
        await one.watch.look()
        assert one.told[-1] == (600.0, "hold memory")
        one.tell("memory", True)
        await one.go_on_for(60.0)
        assert one.told[-1] == (630.0, "go on")
        one.nights.end("done")
        await one.go_on_for(600.0)
        assert len(one.nights.records) == 1  # their word was for that night
        _every_second_is_counted(one)


@pytest.mark.parametrize("everything", [True, False])
async def test_a_pause_ends_the_night_until_it_is_over(tmp_path: Path, everything: bool) -> None:
    async with scene(tmp_path, start="2026-07-13T22:00:00") as one:
        await one.go_on_for(100.0)
        if everything:
            one.pause = Pause(since=one.wall, seconds=None)
        else:
            await one.orders.pause(None)
        await one.go_on_for(100.0)
        decision = one.watch.decision()
        assert decision.first is not None
        assert decision.first.name == "paused"
        with pytest.raises(NightMayNot, match="paused"):
            await one.watch.allow(Asked(now=True))
        one.pause = None
        await one.orders.resume()
        await one.go_on_for(100.0)
        assert [what for _, what in one.told] == ["begin", "stop", "begin"]


async def test_what_a_person_stopped_does_not_begin_again_in_this_window(tmp_path: Path) -> None:
    async with scene(tmp_path, start="2026-07-13T22:00:00") as one:
        await one.go_on_for(100.0)
        await one.watch.not_tonight()
        await one.nights.stop()
        await one.until("2026-07-14T21:59:00")
        assert [what for _, what in one.told] == ["begin", "stop"]
        await one.until("2026-07-14T22:01:00")
        assert one.nights.runs


async def test_three_failed_nights_wait_for_a_person_also_after_a_restart(tmp_path: Path) -> None:
    async with scene(tmp_path, start="2026-07-13T22:00:00") as one:
        for _ in range(3):
            while not one.nights.runs:
                await one.go_on_for(600.0)
            one.nights.end("failed")
        await one.go_on_for(60.0)
        ended = one.wall
    async with scene(tmp_path, start="2026-07-14T22:00:00") as one:
        await one.go_on_for(7000.0)
        first = one.watch.decision().first
        assert first is not None
        assert (first.name, one.told) == ("failing", [])
        assert "night resume" in first.advice
        await one.orders.resume()
        await one.go_on_for(60.0)
        assert one.nights.runs
        # the first window's account was closed, with the time after the service had ended
        past = one.accounts.all[0]
        assert past.until == past.end == moment("2026-07-14T08:00:00")
        assert lost(past.stretches)["not_running"] == pytest.approx(past.until - ended)


async def test_too_little_text_is_looked_at_when_all_else_holds_and_not_each_minute(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as one:
        one.enough = False
        one.tell("presence", False)
        await one.go_on_for(3600.0)
        assert one.prepared == 0
        one.tell("presence", True)
        await one.go_on_for(3600.0)
        assert 5 <= one.prepared <= 7
        assert one.told == []
        one.enough = True
        await one.go_on_for(600.0)
        assert one.nights.runs


async def test_text_that_arrives_is_looked_at_within_a_minute(tmp_path: Path) -> None:
    async with scene(tmp_path) as one:
        one.enough = False
        await one.go_on_for(300.0)
        before = one.prepared
        one.enough = True
        await one.door.call(lambda vault: vault.documents.put_many([written("A page.", "/a.md")]))
        await one.go_on_for(61.0)
        assert (one.prepared, one.nights.runs) == (before + 1, True)


async def test_a_window_without_a_night_is_in_the_log(tmp_path: Path) -> None:
    async with scene(tmp_path, start="2026-07-13T21:00:00") as one:
        one.tell("presence", False)
        await one.until("2026-07-14T09:00:00")
        (entry,) = told_of_nights([], one.accounts.all)
        assert (entry["state"], entry["reason"]) == ("waiting", "presence")
        assert entry["lost"] == {"presence": 10 * 3600.0}
    async with scene(tmp_path, start="2026-07-14T12:00:00") as one:
        assert told_of_nights([], one.accounts.all) == [entry]  # also after a restart
