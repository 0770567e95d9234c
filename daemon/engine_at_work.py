"""A night's work for the engine: again when it dies, and no longer than somebody wants it.

Knows nothing of what the work is.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from daemon.engine_handle import EngineHandle
from daemon.errors import EngineDied, EngineFailed

log = logging.getLogger("nightloom.night")

ENGINE_TRIES = 3  # an engine that dies more often over one piece of work has a reason

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T]]


class Stopped(Exception):  # noqa: N818 - not an error: the night was asked to stop
    """The night ends here and can be taken up again."""


class EngineAtWork:
    """Does one piece of work after the other, until it is told to stop."""

    def __init__(self, engine: EngineHandle) -> None:
        self._engine = engine
        self._stop = asyncio.Event()
        self._patient = True

    def forget_stop(self) -> None:
        """For the next night."""
        self._stop.clear()
        self._patient = True

    async def stop(self) -> None:
        """What is done now is given up, after its last checkpoint if it makes any."""
        self._stop.set()
        await self._engine.stop_training()

    def give_up(self) -> None:
        """What is done now is given up at once, without a checkpoint."""
        self._patient = False
        self._stop.set()

    async def do(self, work: Work[T], *, patience: float = 0.0) -> T:
        """What the work gives. It is begun again when the engine dies, a few times.

        Args:
            patience: seconds that it has to end by itself when a stop is asked.

        Raises:
            Stopped: a stop was asked, and the work did not come to its end.
            EngineDied: too often.
        """
        for attempt in range(1, ENGINE_TRIES + 1):
            try:
                await self._unless_stopped(self._engine.load)  # then requests begin at once
                return await self._unless_stopped(work, patience)
            except EngineDied:
                log.warning("the engine died at work (%d of %d)", attempt, ENGINE_TRIES)
                if self._stop.is_set():
                    raise Stopped from None
                if attempt == ENGINE_TRIES:
                    raise
            except EngineFailed as error:
                if self._stop.is_set() and error.code == "cancelled":
                    raise Stopped from None
                raise
        raise AssertionError("unreachable")

    async def _unless_stopped(self, work: Work[T], patience: float = 0.0) -> T:
        if self._stop.is_set():
            raise Stopped
        task, stop = asyncio.create_task(work()), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and self._patient:
                await asyncio.wait({task}, timeout=patience)
        finally:
            stop.cancel()
            task.cancel()
            await asyncio.wait({task})
        if task.cancelled():
            raise Stopped
        return task.result()
