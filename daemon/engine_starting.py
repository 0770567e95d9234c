"""An engine on its way: one process, several that wait for it, and how far it is.

Whoever waits hears how much is done. When nobody waits any more before it is ready, it is given up.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Starting(Generic[T]):
    """One start.

    Args:
        start: starts the engine; is given what to tell of its progress.
    """

    def __init__(self, start: Callable[[Callable[[float], None]], Coroutine[Any, Any, T]]) -> None:
        self._share = 0.0
        self._news: set[asyncio.Event] = set()
        self._task = asyncio.create_task(start(self._progressed), name="engine start")
        self._task.add_done_callback(lambda _: self._wake())

    @property
    def given_up(self) -> bool:
        """Nobody waited any more; whoever comes later has to start again."""
        return self._task.cancelled() or self._task.cancelling() > 0

    @property
    def done(self) -> bool:
        return self._task.done()

    async def progress(self) -> AsyncGenerator[float, None]:
        """How much is done, from 0 to 1, each time it is more; ends when the start has ended."""
        news = asyncio.Event()
        self._news.add(news)
        told = None
        try:
            while not self._task.done():
                news.clear()
                if self._share != told:
                    told = self._share
                    yield told
                else:
                    await news.wait()
        finally:
            self._news.discard(news)
            if not self._news and not self._task.done():
                self._task.cancel()
                await asyncio.wait({self._task})

    def result(self) -> T:
        """What came of it, once it has ended. Raises what went wrong."""
        return self._task.result()

    def _progressed(self, share: float) -> None:
        self._share = max(self._share, share)
        self._wake()

    def _wake(self) -> None:
        for news in self._news:
            news.set()
