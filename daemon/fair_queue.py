"""Turns for clients: so many requests in the engine at once, and the others wait in line.

A place that becomes free goes to the client that has the fewest requests inside, and among equals
in turn, so that one that asks for much delays another by a turn and not by all that it asked for.
How many may wait is bounded, for each of them holds a connection and a text. Knows nothing of
engines or models.
"""

import asyncio
import contextlib
import math
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from ipc.errors import QueueFull

FIRST_GUESS_SECONDS = 5.0  # that a request takes, before one has been seen
NEWEST_SHARE = 0.2  # of the last one in what requests take
LONGEST_RETRY_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePolicy:
    """`at_once` requests are in the engine; `waiting` in line, and a few more of those clients that
    have none there yet, so that one client's line shuts nobody out.
    """

    at_once: int = 8
    waiting: int = 32
    newcomers: int = 8


class FairQueue:
    """Lives in one event loop.

    Args:
        clock: seconds that only go up.
    """

    def __init__(
        self, policy: QueuePolicy | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._policy = policy or QueuePolicy()
        self._clock = clock
        self._inside: Counter[str] = Counter()
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}  # the next turn's client first
        self._usual_seconds = FIRST_GUESS_SECONDS

    @property
    def inside(self) -> int:
        """Requests that have a place."""
        return self._inside.total()

    @property
    def waiting(self) -> int:
        return sum(map(len, self._lines.values()))

    @contextlib.asynccontextmanager
    async def place(self, client: str) -> AsyncIterator[None]:
        """Inside, the request may be with the engine. Who hangs up while it waits is out of line.

        Raises:
            QueueFull: too many wait; says when it may be worth another try.
        """
        await self._turn(client)
        began = self._clock()
        try:
            yield
        finally:
            took = self._clock() - began
            self._usual_seconds += NEWEST_SHARE * (took - self._usual_seconds)
            self._leave(client)

    async def _turn(self, client: str) -> None:
        if self.inside < self._policy.at_once and not self._lines:
            self._inside[client] += 1
            return
        self._refuse_if_full(client)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._out_of_line(client, turn)
            else:  # its turn had come meanwhile
                self._leave(client)
            raise

    def _refuse_if_full(self, client: str) -> None:
        room = self._policy.waiting
        if client not in self._lines:
            room += self._policy.newcomers
        if self.waiting >= room:
            raise QueueFull(retry_after=self.retry_after)

    @property
    def retry_after(self) -> int:
        """Seconds until somebody who comes last now would have had a turn, about."""
        ahead = (self.waiting + 1) / self._policy.at_once
        return max(1, min(LONGEST_RETRY_SECONDS, math.ceil(self._usual_seconds * ahead)))

    def _leave(self, client: str) -> None:
        self._inside[client] -= 1
        if not self._inside[client]:
            del self._inside[client]
        while self._lines and self.inside < self._policy.at_once:
            self._let_in(min(self._lines, key=self._inside.__getitem__))

    def _let_in(self, client: str) -> None:
        line = self._lines.pop(client)
        turn = line.popleft()
        if line:
            self._lines[client] = line  # behind the other clients
        if not turn.cancelled():  # else it is about to find itself out of line
            self._inside[client] += 1
            turn.set_result(None)

    def _out_of_line(self, client: str, turn: asyncio.Future[None]) -> None:
        line = self._lines.get(client, deque())
        if turn in line:
            line.remove(turn)
            if not line:
                del self._lines[client]
