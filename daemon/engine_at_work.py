"""A night's work for the engine: again when it dies, and no longer than somebody wants it.

While it is held, nothing is begun, what the engine does rests there, and what the service waits for
is given up and begun again afterwards. Knows nothing of what the work is.
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
        self._held = asyncio.Event()
        self._may_go = asyncio.Event()
        self._may_go.set()
        self._undisturbed: asyncio.Task[Any] | None = None

    async def forget(self) -> None:
        """For the next night: nobody wants this one to stop or to rest any more."""
        self._stop.clear()
        self._patient = True
        await self.go_on()

    async def hold(self) -> None:
        """Nothing is computed any more when this returns, until `go_on`."""
        self._held.set()
        self._may_go.clear()
        await self._engine.hold()
        if self._undisturbed is not None:
            await asyncio.wait({self._undisturbed})

    async def go_on(self) -> None:
        self._held.clear()
        self._may_go.set()
        await self._engine.go_on()

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
                await self.undisturbed(self._engine.load)  # then requests begin at once
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

    async def undisturbed(self, work: Work[T]) -> T:
        """What the work gives, which is given up when it is held, and begun again afterwards.

        Raises:
            Stopped: a stop was asked.
        """
        while True:
            await self.permitted()
            task = asyncio.create_task(work())
            self._undisturbed = task
            try:
                await self._end(task, 0.0, self._held)
            finally:
                self._undisturbed = None
            if not task.cancelled():
                return task.result()
            if self._stop.is_set():
                raise Stopped

    async def permitted(self) -> None:
        """Returns when nothing is held. Raises `Stopped`."""
        await self._unless_stopped(self._may_go.wait)

    async def _unless_stopped(self, work: Work[T], patience: float = 0.0) -> T:
        if self._stop.is_set():
            raise Stopped
        task = asyncio.create_task(work())
        await self._end(task, patience)
        if task.cancelled():
            raise Stopped
        return task.result()

    async def _end(self, task: "asyncio.Task[T]", patience: float, *ends: asyncio.Event) -> None:
        """Until it is done, or until a stop or one of the ends; then it is cancelled."""
        waits = [asyncio.create_task(end.wait()) for end in (self._stop, *ends)]
        try:
            await asyncio.wait({task, *waits}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and self._patient:
                await asyncio.wait({task}, timeout=patience)
        finally:
            for wait in waits:
                wait.cancel()
            task.cancel()
            await asyncio.wait({task})
