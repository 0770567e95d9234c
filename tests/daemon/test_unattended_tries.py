"""Trying again with nobody there: later and later, and at once when something changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from daemon.unattended_tries import (
    FIRST_WAIT_SECONDS,
    LEAST_WAIT_SECONDS,
    LONGEST_WAIT_SECONDS,
    UnattendedTries,
    next_wait,
)
from tests.daemon.collecting.parts import HandClock


class Door:
    """Opens at the try that the test says; notes when it was tried."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.tried: list[float] = []
        self.opens = False
        self.changed: Callable[[], None] = lambda: None
        self.watched = 0
        self.tries = UnattendedTries(self._attempt, watch=self._watch, clock=self.clock)
        self._begun = self.clock.time

    async def _attempt(self) -> bool:
        self.tried.append(self.clock.time - self._begun)
        return self.opens

    async def _watch(self, changed: Callable[[], None]) -> None:
        self.changed = changed
        self.watched += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.watched -= 1


async def quiet() -> None:
    """Everything that can go on now has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    door.tries.begin()
    await quiet()
    yield door
    await door.tries.end()
    assert door.watched == 0


async def pass_seconds(door: Door, seconds: float) -> None:
    for _ in range(round(seconds)):
        door.clock.advance(1.0)
        await quiet()


def test_the_wait_doubles_to_a_quarter_of_an_hour() -> None:
    waits = [FIRST_WAIT_SECONDS]
    while waits[-1] < LONGEST_WAIT_SECONDS:
        waits.append(next_wait(waits[-1]))
    assert waits == [30, 60, 120, 240, 480, 900]
    assert next_wait(900) == 900


async def test_it_tries_later_and_later(door: Door) -> None:
    await pass_seconds(door, 30 + 1 + 60 + 1 + 120)
    assert door.tried == [30, 91, 212]


async def test_it_tries_at_once_when_something_changed_and_then_soon_again(door: Door) -> None:
    await pass_seconds(door, 30 + 1 + 10)
    door.changed()
    await quiet()
    assert door.tried == [30, 41]
    await pass_seconds(door, LEAST_WAIT_SECONDS + FIRST_WAIT_SECONDS)
    assert door.tried == [30, 41, 72]


async def test_a_keyring_that_comes_and_goes_is_not_tried_all_the_time(door: Door) -> None:
    for _ in range(100):
        door.changed()
        await quiet()
    assert len(door.tried) == 1
    await pass_seconds(door, LEAST_WAIT_SECONDS)
    assert len(door.tried) == 2


async def test_it_ends_when_the_vault_is_open(door: Door) -> None:
    door.opens = True
    door.changed()
    await quiet()
    assert not door.tries.goes_on
    assert door.watched == 0
    await pass_seconds(door, 1000)
    assert len(door.tried) == 1


async def test_ended_it_tries_no_more(door: Door) -> None:
    await door.tries.end()
    await pass_seconds(door, 1000)
    assert door.tried == []
    door.tries.begin()
    await quiet()
    door.changed()
    await quiet()
    assert len(door.tried) == 1


async def test_a_watch_that_breaks_leaves_the_timer() -> None:
    async def broken(changed: Callable[[], None]) -> None:
        raise OSError("no bus")

    clock, tried = HandClock(), asyncio.Event()

    def attempt() -> Awaitable[bool]:
        async def opens() -> bool:
            tried.set()
            return True

        return opens()

    tries = UnattendedTries(attempt, watch=broken, clock=clock)
    tries.begin()
    await quiet()
    clock.advance(FIRST_WAIT_SECONDS)
    await quiet()
    assert tried.is_set()
    await tries.end()
