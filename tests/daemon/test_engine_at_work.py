"""A night's work for the engine is done again when it dies, and given up when a stop is asked."""

import asyncio
from typing import Any, cast

import pytest

from daemon.engine_at_work import ENGINE_TRIES, EngineAtWork, Stopped
from daemon.engine_handle import EngineHandle
from daemon.errors import EngineDied, EngineFailed


class Engine:
    """Loads when the test lets it, and notes whether training was asked to stop."""

    def __init__(self) -> None:
        self.loads = 0
        self.loading = asyncio.Event()
        self.may_load = asyncio.Event()
        self.may_load.set()
        self.told_to_stop = 0
        self.words: list[str] = []

    async def load(self) -> None:
        self.loads += 1
        self.loading.set()
        await self.may_load.wait()

    async def stop_training(self) -> None:
        self.told_to_stop += 1

    async def hold(self) -> None:
        self.words.append("hold")

    async def go_on(self) -> None:
        self.words.append("go_on")


class Work:
    """One piece of work: ends when the test says so; notes how it went."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.begun = asyncio.Event()
        self.end = asyncio.Event()
        self.tries = 0
        self.cancelled = False

    async def __call__(self) -> str:
        self.tries += 1
        self.begun.set()
        if self.errors:
            raise self.errors.pop(0)
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "done"


def cancelled() -> EngineFailed:
    return EngineFailed("It was stopped.", code="cancelled", facts={})


def at_work(engine: Engine) -> EngineAtWork:
    return EngineAtWork(cast("EngineHandle", engine))


async def begun(shift: EngineAtWork, work: Work, **more: Any) -> "asyncio.Task[str]":
    task = asyncio.create_task(shift.do(work, **more))
    await work.begun.wait()
    return task


async def test_work_gives_what_it_made() -> None:
    work = Work()
    work.end.set()
    assert await at_work(Engine()).do(work) == "done"


async def test_work_is_begun_again_with_a_fresh_engine_when_it_dies() -> None:
    engine, work = Engine(), Work(EngineDied(), EngineDied())
    work.end.set()
    assert await at_work(engine).do(work) == "done"
    assert (engine.loads, work.tries) == (3, 3)


async def test_an_engine_that_dies_too_often_has_a_reason() -> None:
    work = Work(*[EngineDied() for _ in range(ENGINE_TRIES)])
    with pytest.raises(EngineDied):
        await at_work(Engine()).do(work)
    assert work.tries == ENGINE_TRIES


async def test_other_errors_go_out_at_once() -> None:
    work = Work(EngineFailed("The engine ran out of memory.", code="memory", facts={}))
    with pytest.raises(EngineFailed, match="memory"):
        await at_work(Engine()).do(work)
    assert work.tries == 1


async def test_a_stop_gives_up_what_is_done_now() -> None:
    engine, work = Engine(), Work()
    shift = at_work(engine)
    task = await begun(shift, work)
    await shift.stop()
    with pytest.raises(Stopped):
        await task
    assert work.cancelled
    assert engine.told_to_stop == 1


async def test_with_patience_work_may_end_by_itself() -> None:
    work = Work()
    shift = at_work(Engine())
    task = await begun(shift, work, patience=60.0)
    await shift.stop()
    work.end.set()
    assert await task == "done"
    assert not work.cancelled


async def test_patience_ends() -> None:
    work = Work()
    shift = at_work(Engine())
    task = await begun(shift, work, patience=0.01)
    await shift.stop()
    with pytest.raises(Stopped):
        await task
    assert work.cancelled


async def test_a_stop_does_not_wait_for_an_engine_that_loads() -> None:
    engine, work = Engine(), Work()
    engine.may_load.clear()
    shift = at_work(engine)
    task = asyncio.create_task(shift.do(work, patience=60.0))
    await engine.loading.wait()
    await shift.stop()
    with pytest.raises(Stopped):
        await task
    assert work.tries == 0


async def test_after_a_stop_nothing_more_is_begun_until_the_next_night() -> None:
    engine, work = Engine(), Work()
    work.end.set()
    shift = at_work(engine)
    await shift.stop()
    with pytest.raises(Stopped):
        await shift.do(work, patience=60.0)
    assert (engine.loads, work.tries) == (0, 0)
    await shift.forget()
    assert await shift.do(work) == "done"


@pytest.mark.parametrize("error", [EngineDied(), cancelled()])
async def test_what_ends_because_of_a_stop_is_no_failure(error: Exception) -> None:
    engine = Engine()
    shift = at_work(engine)

    async def ends() -> str:
        await shift.stop()
        raise error

    with pytest.raises(Stopped):
        await shift.do(ends, patience=60.0)
    assert engine.loads == 1


async def test_work_that_the_engine_cancels_unasked_has_failed() -> None:
    with pytest.raises(EngineFailed):
        await at_work(Engine()).do(Work(cancelled()))


# --------------------------------------------------------------------------- held


async def test_held_work_stays_with_the_engine_which_hears_of_it() -> None:
    engine, work = Engine(), Work()
    shift = at_work(engine)
    task = await begun(shift, work)
    await shift.hold()
    assert not task.done()
    await shift.go_on()
    work.end.set()
    assert await task == "done"
    assert (work.tries, work.cancelled, engine.words) == (1, False, ["hold", "go_on"])


async def test_nothing_is_begun_while_the_night_is_held() -> None:
    engine, work = Engine(), Work()
    work.end.set()
    shift = at_work(engine)
    await shift.hold()
    task = asyncio.create_task(shift.do(work))
    await asyncio.sleep(0)
    assert engine.loads == 0
    await shift.go_on()
    assert await task == "done"


async def test_an_engine_that_loads_is_given_up_and_loaded_again() -> None:
    engine, work = Engine(), Work()
    work.end.set()
    engine.may_load.clear()
    shift = at_work(engine)
    task = asyncio.create_task(shift.do(work))
    await engine.loading.wait()
    await shift.hold()
    engine.may_load.set()
    await asyncio.sleep(0)
    assert work.tries == 0
    await shift.go_on()
    assert await task == "done"
    assert engine.loads == 2


async def test_an_engine_that_dies_while_it_is_held_is_not_started_again_before() -> None:
    engine = Engine()
    shift = at_work(engine)
    dies = asyncio.Event()
    tries = []

    async def work() -> str:
        tries.append(engine.loads)
        if len(tries) == 1:
            await dies.wait()
            raise EngineDied()
        return "done"

    task = asyncio.create_task(shift.do(work))
    while not tries:  # noqa: ASYNC110 - it begins within a few turns of the loop
        await asyncio.sleep(0)
    await shift.hold()
    dies.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert (engine.loads, tries) == (1, [1])
    await shift.go_on()
    assert await task == "done"
    assert tries == [1, 2]


async def test_a_stop_ends_what_is_held() -> None:
    work = Work()
    shift = at_work(Engine())
    await shift.hold()
    task = asyncio.create_task(shift.do(work, patience=60.0))
    await asyncio.sleep(0)
    await shift.stop()
    with pytest.raises(Stopped):
        await task
    assert work.tries == 0


async def test_the_next_night_is_not_held() -> None:
    engine, work = Engine(), Work()
    work.end.set()
    shift = at_work(engine)
    await shift.hold()
    await shift.stop()
    await shift.forget()
    assert await shift.do(work) == "done"
    assert engine.words == ["hold", "go_on"]
