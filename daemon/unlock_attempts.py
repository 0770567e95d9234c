"""How often a secret may be tried: one at a time, few waiting, and later after each wrong one.

A wrong passphrase costs Argon2's time and memory, so a program that tries many is refused instead
of queued. What waits is the next attempt and nothing else. Knows no secrets and no vault.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable

from daemon.errors import AttemptTooSoon, TooManyAttempts
from storage.errors import WrongSecret

MOST_WAITING = 4  # the one that is being tried included
FREE_FAILURES = 3  # mistyping is human
LONGEST_DELAY_SECONDS = 60.0  # so that whoever tries all day does not lock the owner out


def delay_after(failures: int) -> float:
    """Seconds to the next attempt, after so many wrong ones in a row: 0, 0, 1, 2, 4, ... 60."""
    if failures < FREE_FAILURES:
        return 0.0
    return min(2.0 ** (failures - FREE_FAILURES), LONGEST_DELAY_SECONDS)


class Attempts:
    """The turn of whoever tries a secret.

    Args:
        now: seconds on a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._failures = 0
        self._not_before = -math.inf

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Inside, one secret is tried; a `WrongSecret` that leaves the block counts.

        Raises:
            TooManyAttempts, AttemptTooSoon: the block was not entered.
        """
        if self._waiting >= MOST_WAITING:
            raise TooManyAttempts
        self._waiting += 1
        try:
            async with self._turn:
                self._check_time()
                try:
                    yield
                except WrongSecret:
                    self._failures += 1
                    self._not_before = self._now() + delay_after(self._failures)
                    raise
                self._failures = 0
        finally:
            self._waiting -= 1

    def _check_time(self) -> None:
        left = self._not_before - self._now()
        if left > 0:
            raise AttemptTooSoon(self._failures, math.ceil(left))
