"""One night at a time, and anybody may watch it."""

import asyncio
from typing import Any, cast

import pytest

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
        self.go_on = asyncio.Event()
        self.error = error

    async def run(self, progress: Progress) -> Json:
        self.nights += 1
        progress({"state": "training", "step": 1})
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        progress({"state": "training", "step": 2})
        return {"id": self.nights, "state": "done", "plan": {"roles": {}}}

    async def stop(self) -> None:
        self.go_on.set()


def runner(shift: Shift) -> NightRunner:
    return NightRunner(cast("NightShift", shift))


NIGHT = {"night": {"id": 1, "state": "done"}}


async def test_who_watches_sees_the_progress_and_last_the_night_without_its_plan() -> None:
    shift = Shift()
    shift.go_on.set()
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
    shift.go_on.set()
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
    shift.go_on.set()
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
    shift.go_on.set()
    one = runner(shift)
    assert [line.get("step") async for line in one.watch()] == [1]
    assert "ValueError" in caplog.text
    assert "heather" not in caplog.text
    shift.error = None
    assert [line async for line in one.watch()][-1]["night"]["state"] == "done"
