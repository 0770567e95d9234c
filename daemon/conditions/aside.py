"""What may hang, done in a thread of its own that nobody has to wait for.

A driver or a file system that does not answer keeps its thread for good. One of asyncio's own
threads would then hold up the end of the service; these end with the process.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def aside(read: Callable[..., T], *given: Any) -> T:
    """What `read(*given)` returns or raises. Cancelled, it is left alone."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def deliver(result: T | None, error: BaseException | None) -> None:
        if answer.done():  # nobody waits any more
            return
        if error is None:
            answer.set_result(result)  # type: ignore[arg-type]
        else:
            answer.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = read(*given)
        except Exception as caught:
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(deliver, result, error)

    threading.Thread(target=run, name="aside", daemon=True).start()
    return await answer
