"""Trying again to open the vault with nobody there: later and later, and at once when a keyring
may have come. Knows nothing of slots: it is given what to try and what to watch.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from daemon.collecting.clock import Clock, SystemClock

FIRST_WAIT_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 15 * 60.0
LEAST_WAIT_SECONDS = 1.0  # between two tries, however often the keyring comes and goes

Watch = Callable[[Callable[[], None]], Awaitable[None]]


def next_wait(wait: float) -> float:
    """Seconds after which to try again, having waited `wait` in vain."""
    return min(2 * wait, LONGEST_WAIT_SECONDS)


class UnattendedTries:
    """Tries from `begin` until it succeeds, or until `end`.

    Args:
        attempt: tries once; whether the vault is open now.
        watch: runs until it is cancelled, and calls what it is given when a try may be worth it.
        clock: the machine's; tests give another.
    """

    def __init__(
        self, attempt: Callable[[], Awaitable[bool]], *, watch: Watch, clock: Clock | None = None
    ) -> None:
        self._attempt = attempt
        self._watch = watch
        self._clock = clock or SystemClock()
        self._task: asyncio.Task[None] | None = None

    @property
    def goes_on(self) -> bool:
        return self._task is not None and not self._task.done()

    def begin(self) -> None:
        if not self.goes_on:
            self._task = asyncio.create_task(self._run(), name="unattended tries")

    async def end(self) -> None:
        """No more tries; one that was begun is the business of whoever made it."""
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        changed = asyncio.Event()
        watching = asyncio.ensure_future(self._watch(changed.set))
        try:
            wait = FIRST_WAIT_SECONDS
            while True:
                wait = FIRST_WAIT_SECONDS if await self._waited(wait, changed) else next_wait(wait)
                if await self._attempt():
                    return
                await self._clock.sleep(LEAST_WAIT_SECONDS)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _waited(self, seconds: float, changed: asyncio.Event) -> bool:
        """Waits; whether something changed meanwhile."""
        waits = (
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(changed.wait()),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        found = changed.is_set()
        changed.clear()
        return found
