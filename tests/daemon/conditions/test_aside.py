"""Reading what may hang, without anybody having to wait for it."""

import asyncio
import threading

import pytest

from daemon.conditions.aside import aside


def refuse(words: str) -> None:
    raise ValueError(words)


async def test_what_is_read_is_returned_or_raised() -> None:
    assert await aside(divmod, 7, 2) == (3, 1)
    with pytest.raises(ValueError, match="no such"):
        await aside(refuse, "no such")


def test_what_hangs_holds_up_neither_the_loop_nor_the_end_of_the_process() -> None:
    begun, never = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        never.wait()

    async def look() -> None:
        looking = asyncio.ensure_future(aside(hang))
        while not begun.is_set():  # noqa: ASYNC110 - of another thread
            await asyncio.sleep(0.001)
        looking.cancel()
        await asyncio.wait({looking})

    asyncio.run(look())  # would wait for a thread of its own

    (stuck,) = (one for one in threading.enumerate() if one.name == "aside")
    assert stuck.daemon  # and so the interpreter does not wait either
    never.set()  # its answer comes when the loop is closed
    stuck.join()
