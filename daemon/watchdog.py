"""Telling the manager that all is well, from the event loop and only after asking the engine.

An engine that does not answer is ended, so that the next request starts another one. If that takes
too long, or the loop itself stands still, nothing is told, and the manager's watchdog ends it all.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from daemon.sd_notify import Notifier

TOLD_SECONDS = 180.0  # a manager without a watchdog hears how it is a third as often
SHARE = 3  # the engine is given a third of the time, and two thirds are never reached

log = logging.getLogger("nightloom.service")


class Answering(Protocol):
    """What is asked of the engine; `EngineHandle` has it."""

    async def answers(self, *, seconds: float) -> bool: ...
    async def kill(self) -> None: ...


@contextlib.asynccontextmanager
async def watched(
    notifier: Notifier, engine: Answering, describe: Callable[[], str]
) -> AsyncIterator[None]:
    """Inside, the manager hears how it is; nothing runs where nobody listens.

    Args:
        describe: the service's state, as one line of fixed words.
    """
    if notifier.address is None:
        yield
        return
    watch = asyncio.create_task(keep_telling(notifier, engine, describe), name="watchdog")
    watch.add_done_callback(_say_if_it_broke)
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.wait({watch})


def _say_if_it_broke(watch: "asyncio.Task[None]") -> None:
    """Without it the manager ends the service before long, and nobody would know why."""
    if not watch.cancelled() and (error := watch.exception()) is not None:
        log.error("nothing is told to the manager any more: %s", type(error).__name__)


async def keep_telling(
    notifier: Notifier,
    engine: Answering,
    describe: Callable[[], str],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Until it is cancelled."""
    every = (notifier.watchdog_seconds or TOLD_SECONDS) / SHARE
    while True:
        if not await engine.answers(seconds=every):
            log.error("the engine does not answer, and is ended")
            await engine.kill()
        notifier.alive()
        notifier.status(describe())
        await sleep(every)
