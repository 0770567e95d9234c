"""One night at a time, and anybody may watch it."""

import asyncio
from typing import Any, cast

import pytest

from daemon.night_holding import Held
from daemon.night_record import NightState
from daemon.night_runner import NightRunner
from daemon.night_shift import NightShift
from daemon.running_night import Progress

Json = dict[str, Any]


class Shift:
    """A night that goes on when the test says so."""

    def __init__(self, error: Exception | None = None) -> None:
        self.state = NightState.WAITING
        self.nights = 0
        self.end = asyncio.Event()
        self.error = error
        self.chat = None
        self.held: Held | None = None
        self.stopping = asyncio.Event()
        self.stopping.set()
        self.released: list[bool] = []
        self.asked_to_stop = asyncio.Event()

    async def hold(self, reason: str) -> Held:
        self.held = Held(reason=reason, since=1.0, stop_seconds=0.1)
        return self.held

    async def go_on(self) -> None:
        self.held = None

    async def run(self, progress: Progress) -> Json:
        self.nights += 1
        progress({"state": "training", "step": 1})
        await self.end.wait()
        self.held = None
        if self.error is not None:
            raise self.error
        progress({"state": "training", "step": 2})
        return {"id": self.nights, "state": "done", "plan": {"roles": {}}}

    async def stop(self, *, release: bool = False) -> None:
        self.released.append(release)
        self.asked_to_stop.set()
        await self.stopping.wait()
        self.end.set()


def runner(shift: Shift, **options: Any) -> NightRunner:
    return NightRunner(cast("NightShift", shift), **options)


NIGHT = {"night": {"id": 1, "state": "done"}}


async def test_who_watches_sees_the_progress_and_last_the_night_without_its_plan() -> None:
    shift = Shift()
    shift.end.set()
    one = runner(shift)
    lines = [line async for line in one.watch()]
    assert [line.get("step") for line in lines[:-1]] == [1, 2]
    assert lines[-1] == NIGHT
    assert not one.runs


async def test_a_second_watcher_joins_the_night_that_runs_and_hears_where_it_stands() -> None:
    shift = Shift()
    one = runner(shift)
    first, second = one.watch(), one.watch()
    assert (await anext(first))["step"] == 1
    assert (await anext(second))["step"] == 1
    shift.end.set()
    assert [line async for line in first][-1] == NIGHT
    assert [line async for line in second][-1] == NIGHT
    assert shift.nights == 1


async def test_a_watcher_who_leaves_leaves_the_night_running() -> None:
    shift = Shift()
    one = runner(shift)
    watching = one.watch()
    await anext(watching)
    await watching.aclose()
    assert one.runs
    shift.end.set()
    assert [line async for line in one.watch()][-1] == NIGHT


async def test_stopping_waits_until_the_night_has_saved_itself() -> None:
    shift = Shift()
    one = runner(shift)
    assert not await one.stop()
    await anext(one.watch())
    assert await one.stop()
    assert not one.runs


async def test_a_night_that_breaks_ends_for_its_watchers_and_says_nothing_private(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shift = Shift(ValueError("heather honey"))
    shift.end.set()
    one = runner(shift)
    assert [line.get("step") async for line in one.watch()] == [1]
    assert "ValueError" in caplog.text
    assert "heather" not in caplog.text
    shift.error = None
    assert [line async for line in one.watch()][-1]["night"]["state"] == "done"


# --------------------------------------------------------------------------- held


async def begun(one: NightRunner, shift: Shift, nights: int = 1) -> None:
    """Until the shift works on its nth night."""
    while shift.nights < nights:  # noqa: ASYNC110 - within a few turns of the loop
        await asyncio.sleep(0)


async def test_a_night_begins_without_anybody_who_watches() -> None:
    shift = Shift()
    one = runner(shift)
    assert one.begin()
    assert not one.begin()
    await begun(one, shift)
    shift.end.set()
    await one.idle()
    assert (shift.nights, one.runs) == (1, False)


async def test_a_night_that_does_not_run_is_not_held() -> None:
    assert await runner(Shift()).hold("presence") is None


async def test_a_held_night_goes_on_and_keeps_its_engine_within_the_grace_time() -> None:
    shift = Shift()
    one = runner(shift, grace_seconds=3600.0)
    one.begin()
    await begun(one, shift)
    held = await one.hold("presence")
    assert held is not None
    assert (held.reason, one.held) == ("presence", held)
    assert await one.go_on()
    assert not await one.go_on(), "it works already"
    assert (one.held, shift.nights, shift.released) == (None, 1, [])
    assert await one.stop()
    assert shift.released == [False]


async def test_after_the_grace_time_a_held_night_ends_with_its_engine_and_is_taken_up() -> None:
    shift = Shift()
    one = runner(shift, grace_seconds=0.0)
    one.begin()
    await begun(one, shift)
    await one.hold("presence")
    await one.idle()
    assert shift.released == [True]
    shift.end.clear()
    assert await one.go_on()
    await begun(one, shift, 2)
    shift.end.set()
    await one.idle()


async def test_a_night_that_is_just_let_go_is_taken_up_as_soon_as_it_has_ended() -> None:
    shift = Shift()
    shift.stopping.clear()
    one = runner(shift, grace_seconds=0.0)
    one.begin()
    await begun(one, shift)
    await one.hold("presence")
    await shift.asked_to_stop.wait()
    assert not await one.go_on()
    shift.stopping.set()
    await begun(one, shift, 2)
    await one.idle()


@pytest.mark.parametrize("then", ["hold", "stop"])
async def test_one_that_is_let_go_is_not_taken_up_when_that_is_wanted_no_more(then: str) -> None:
    shift = Shift()
    shift.stopping.clear()
    one = runner(shift, grace_seconds=0.0)
    one.begin()
    await begun(one, shift)
    await one.hold("presence")
    await shift.asked_to_stop.wait()
    await one.go_on()
    if then == "hold":
        assert await one.hold("power") is None
    shift.stopping.set()
    if then == "stop":
        await one.stop()
    await one.idle()
    for _ in range(5):
        await asyncio.sleep(0)
    assert (shift.nights, one.runs) == (1, False)


async def test_the_grace_time_stands_still_while_all_is_well_again() -> None:
    shift = Shift()
    one = runner(shift, grace_seconds=3600.0)
    one.begin()
    await begun(one, shift)
    await one.hold("power")
    ends_at = grace_ends_at(one)
    one.settles(True)
    assert grace_ends_at(one) is None
    one.settles(True)
    one.settles(False)
    again = grace_ends_at(one)
    assert ends_at is not None
    assert again is not None
    assert again >= ends_at
    await one.go_on()
    one.settles(False)
    assert grace_ends_at(one) is None
    await one.stop()


def grace_ends_at(one: NightRunner) -> float | None:
    return None if one._grace is None else one._grace.when()


async def test_another_reason_does_not_prolong_the_grace_time() -> None:
    shift = Shift()
    one = runner(shift, grace_seconds=3600.0)
    one.begin()
    await begun(one, shift)
    await one.hold("presence")
    grace = one._grace
    held = await one.hold("power")
    assert held is not None
    assert held.reason == "power"
    assert one._grace is grace
    await one.stop()
    assert one._grace is None
