"""A look: when, how long at most, and what is told of it."""

import asyncio
import logging

import pytest

from daemon.conditions.looking import Every, Looking, Ring
from daemon.conditions.reading import Attention, Reading
from tests.daemon.conditions.telling import telling

LONG = Every(close_seconds=3600, far_seconds=3600)


def reading(value: str) -> Reading:
    return Reading(name="gpu", holds=True, value=value, threshold="")


class Bell:
    """Rings when the test wants it."""

    ring: Ring

    async def listen(self, ring: Ring) -> None:
        self.ring = ring


async def test_it_looks_at_once_and_whenever_it_is_rung_for_and_tells_only_changes() -> None:
    values = iter(["one", "one", "two"])
    looked: asyncio.Queue[str] = asyncio.Queue()

    async def look() -> tuple[Reading, ...]:
        value = next(values)
        looked.put_nowait(value)
        return (reading(value),)

    bell = Bell()
    provider = Looking(("gpu",), look, Attention(), every=lambda: LONG, listen=bell.listen)
    async with telling(provider) as told:
        await looked.get()
        bell.ring()
        await looked.get()
        bell.ring()
        await told.until("gpu", "two")

    assert [one.value for one in told.all] == ["one", "two"]


async def test_a_look_that_breaks_is_unknown_and_the_next_one_is_believed() -> None:
    values = iter([None, "well"])

    async def look() -> tuple[Reading, ...]:
        value = next(values)
        if value is None:
            raise OSError("/home/somebody/secret cannot be read")
        return (reading(value),)

    bell = Bell()
    provider = Looking(("gpu",), look, Attention(), every=lambda: LONG, listen=bell.listen)
    async with telling(provider) as told:
        broken = await told.until("gpu", "not known")
        bell.ring()
        await told.until("gpu", "well")

    assert (broken.holds, broken.reason) == (None, "gpu_unknown")


async def test_a_look_that_ends_as_cancelled_is_unknown_and_the_next_one_is_believed() -> None:
    values = iter([None, "well"])

    async def look() -> tuple[Reading, ...]:
        value = next(values)
        if value is None:
            raise asyncio.CancelledError
        return (reading(value),)

    bell = Bell()
    provider = Looking(("gpu",), look, Attention(), every=lambda: LONG, listen=bell.listen)
    async with telling(provider) as told:
        await told.until("gpu", "not known")
        bell.ring()
        await told.until("gpu", "well")


async def test_a_look_that_hangs_is_unknown_and_another_is_begun_only_when_it_has_ended() -> None:
    answer: asyncio.Future[tuple[Reading, ...]] = asyncio.get_running_loop().create_future()
    begun = 0

    async def look() -> tuple[Reading, ...]:
        nonlocal begun
        begun += 1
        return await answer if begun == 1 else (reading("fresh"),)

    bell = Bell()
    provider = Looking(
        ("gpu",), look, Attention(), every=lambda: LONG, listen=bell.listen, look_seconds=0.01
    )
    async with telling(provider) as told:
        await told.until("gpu", "not known")
        for _ in range(3):
            bell.ring()
            await asyncio.sleep(0.02)
        assert begun == 1
        answer.set_result((reading("late"),))
        await told.until("gpu", "fresh")

    assert "late" not in {one.value for one in told.all}


async def test_nothing_of_what_broke_goes_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def look() -> tuple[Reading, ...]:
        raise OSError("/home/somebody/secret cannot be read")

    provider = Looking(("gpu",), look, Attention(), every=lambda: LONG)
    async with telling(provider) as told:
        await told.until("gpu", "not known")

    assert "OSError" in caplog.text
    assert "secret" not in caplog.text
