"""Many tries of a secret: one at a time, few waiting, and later after each wrong one."""

import asyncio

import pytest

from daemon.errors import AttemptTooSoon, TooManyAttempts
from daemon.unlock_attempts import (
    FREE_FAILURES,
    LONGEST_DELAY_SECONDS,
    MOST_WAITING,
    Attempts,
    delay_after,
)
from storage.errors import WrongSecret


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def fail(attempts: Attempts) -> None:
    with pytest.raises(WrongSecret):
        async with attempts.one():
            raise WrongSecret(slot="passphrase")


def test_the_delay_grows_to_a_bound() -> None:
    assert [delay_after(n) for n in range(7)] == [0, 0, 0, 1, 2, 4, 8]
    assert delay_after(1000) == LONGEST_DELAY_SECONDS


async def test_after_some_wrong_ones_the_next_has_to_wait_and_is_told_how_long() -> None:
    time = Time()
    attempts = Attempts(time)
    for _ in range(FREE_FAILURES + 2):
        time.now += LONGEST_DELAY_SECONDS
        await fail(attempts)

    with pytest.raises(AttemptTooSoon, match=r"After 5 wrong attempts .* again in 4 s"):
        async with attempts.one():
            raise AssertionError("it was tried")
    time.now += 3.9
    with pytest.raises(AttemptTooSoon, match="in 1 s"):
        async with attempts.one():
            raise AssertionError("it was tried")
    time.now += 0.1
    async with attempts.one():
        pass


async def test_who_waits_does_not_make_the_wait_longer() -> None:
    time = Time()
    attempts = Attempts(time)
    for _ in range(FREE_FAILURES):
        await fail(attempts)
    for _ in range(50):
        with pytest.raises(AttemptTooSoon, match="After 3 wrong"):
            async with attempts.one():
                raise AssertionError("it was tried")
    time.now += 1.0
    async with attempts.one():
        pass


async def test_a_right_one_makes_the_count_start_again() -> None:
    attempts = Attempts(Time())
    await fail(attempts)
    await fail(attempts)
    async with attempts.one():
        pass
    await fail(attempts)
    await fail(attempts)
    async with attempts.one():
        pass


async def test_other_errors_do_not_count() -> None:
    attempts = Attempts(Time())
    for _ in range(10):
        with pytest.raises(OSError, match="disk"):
            async with attempts.one():
                raise OSError("disk")
    async with attempts.one():
        pass


async def test_one_is_tried_at_a_time_and_few_may_wait() -> None:
    attempts = Attempts(Time())
    inside, most, go_on = 0, 0, asyncio.Event()

    async def attempt() -> None:
        nonlocal inside, most
        async with attempts.one():
            inside += 1
            most = max(most, inside)
            await go_on.wait()
            inside -= 1

    tries = [asyncio.create_task(attempt()) for _ in range(20)]
    while sum(task.done() for task in tries) < 20 - MOST_WAITING:  # noqa: ASYNC110 - many events
        await asyncio.sleep(0)
    go_on.set()
    ended = await asyncio.gather(*tries, return_exceptions=True)

    assert most == 1
    assert sum(isinstance(end, TooManyAttempts) for end in ended) == 20 - MOST_WAITING
    assert ended.count(None) == MOST_WAITING
    async with attempts.one():
        pass


async def test_whoever_waits_and_leaves_gives_the_place_free() -> None:
    attempts = Attempts(Time())
    async with attempts.one():
        waiting = [
            asyncio.create_task(attempts.one().__aenter__()) for _ in range(MOST_WAITING - 1)
        ]
        await asyncio.sleep(0)
        with pytest.raises(TooManyAttempts):
            async with attempts.one():
                raise AssertionError("it was tried")
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
    async with attempts.one():
        pass
