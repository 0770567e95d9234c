"""An engine on its way: told of, waited for by several, and given up when nobody waits."""

import asyncio
from collections.abc import Callable

import pytest

from daemon.engine_starting import Starting


class Engine:
    """Starts as far as the test lets it."""

    def __init__(self) -> None:
        self.tell: Callable[[float], None] | None = None
        self.ready = asyncio.Event()
        self.broken = False
        self.ended = False

    async def start(self, tell: Callable[[float], None]) -> str:
        self.tell = tell
        try:
            await self.ready.wait()
        finally:
            self.ended = True
        if self.broken:
            raise OSError("no process")
        return "engine"


async def waits(starting: Starting[str]) -> tuple[list[float], str]:
    shares = [share async for share in starting.progress()]
    return shares, starting.result()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_all_who_wait_hear_how_far_it_is_and_get_the_one_engine() -> None:
    engine = Engine()
    starting = Starting(engine.start)
    first = asyncio.create_task(waits(starting))
    await settled()
    assert engine.tell is not None
    engine.tell(0.4)
    await settled()
    late = asyncio.create_task(waits(starting))
    await settled()
    engine.tell(0.3)  # it does not go backwards
    engine.tell(0.9)
    await settled()
    engine.ready.set()
    assert await first == ([0.0, 0.4, 0.9], "engine")
    assert await late == ([0.4, 0.9], "engine")
    assert (starting.done, starting.given_up) == (True, False)


async def test_what_goes_wrong_is_told_to_all() -> None:
    engine = Engine()
    engine.broken = True
    starting = Starting(engine.start)
    both = [asyncio.create_task(waits(starting)) for _ in range(2)]
    await settled()
    engine.ready.set()
    for one in both:
        with pytest.raises(OSError, match="no process"):
            await one


async def test_it_is_given_up_with_the_last_who_waits_and_not_before() -> None:
    engine = Engine()
    starting = Starting(engine.start)
    both = [asyncio.create_task(waits(starting)) for _ in range(2)]
    await settled()
    both[0].cancel()
    await settled()
    assert (engine.ended, starting.given_up) == (False, False)
    both[1].cancel()
    await asyncio.gather(*both, return_exceptions=True)
    assert (engine.ended, starting.given_up) == (True, True)
