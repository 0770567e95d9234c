"""Every provider at work, each on its own: one that breaks is unknown, and tried again."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from daemon.conditions.board import Board
from daemon.conditions.reading import Provider, unknown

log = logging.getLogger("nightloom.conditions")

AGAIN_SECONDS = 60.0


class Gathering:
    """Fills the board from `start` until `close`.

    Args:
        connections: what the providers speak over, run beside them.
    """

    def __init__(
        self,
        board: Board,
        providers: Sequence[Provider],
        connections: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    ) -> None:
        self._board = board
        self._providers = providers
        self._connections = connections
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Within the running loop."""
        self._tasks = [
            *(asyncio.create_task(_kept_up(one), name="bus") for one in self._connections),
            *(
                asyncio.create_task(self._provided(one), name="condition")
                for one in self._providers
            ),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _provided(self, provider: Provider) -> None:
        while True:
            try:
                await provider.run(self._board.tell)
            except Exception as error:
                # the type only; messages of the system may name what is private
                log.error("%s cannot be read: %s", provider.names[0], type(error).__name__)
            for name in provider.names:
                self._board.tell(unknown(name))
            await asyncio.sleep(AGAIN_SECONDS)


async def _kept_up(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            await run()
        except Exception as error:
            log.error("a bus broke: %s", type(error).__name__)
        await asyncio.sleep(AGAIN_SECONDS)
