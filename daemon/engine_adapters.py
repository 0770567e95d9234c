"""The adapters of the engine that runs: brought there when somebody asks, gone when they should be.

Versions lie side by side in it; a request is answered by the one that it began with. What was taken
away answers nobody from that moment on. Knows nothing of when an engine is wanted.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator

from daemon.engine_process import EngineProcess
from daemon.errors import AdapterTakenAway, EngineDied, EngineError
from daemon.loaded_adapters import AdapterBounds, LoadedAdapters


class AdapterHolder:
    """An engine process and the adapters in it."""

    def __init__(self, process: EngineProcess, bounds: AdapterBounds) -> None:
        self.process = process
        self.adapters = LoadedAdapters(bounds)
        self.sent: set[str] = set()  # that it got or was about to get, ever


class EngineAdapters:
    """One for all engines that run one after the other.

    Args:
        weights: opens an adapter's bytes by digest.
    """

    def __init__(self, weights: Callable[[str], Awaitable[bytes]]) -> None:
        self._weights = weights
        self._turn = asyncio.Lock()  # one comes or goes at a time
        self._unpublished: dict[str, bytes] = {}
        self._taken_away: set[str] = set()
        self._drops: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def unpublished(self, digest: str, weights: bytes) -> Iterator[None]:
        """See `EngineHandle.unpublished`."""
        self._unpublished[digest] = weights
        try:
            yield
        finally:
            del self._unpublished[digest]

    @contextlib.asynccontextmanager
    async def having(self, engine: AdapterHolder, digests: frozenset[str]) -> AsyncIterator[None]:
        """Inside, the engine has these. Afterwards it may have too many, and drops some.

        Raises:
            AdapterTakenAway, EngineDied, EngineFailed
        """
        try:
            with engine.adapters.used(digests):
                for digest in sorted(digests):
                    await self._bring(engine, digest)
                self._refuse_taken_away(digests)
                yield
        finally:
            if engine.adapters.surplus() and not engine.process.gone:
                dropping = asyncio.create_task(self.drop_surplus(engine), name="adapters")
                self._drops.add(dropping)
                dropping.add_done_callback(self._drops.discard)

    async def drop_surplus(self, engine: AdapterHolder) -> None:
        async with self._turn:
            while surplus := engine.adapters.surplus():
                await self._drop(engine, surplus[0])

    async def settled(self) -> None:
        """Until nothing is being dropped any more."""
        if self._drops:
            await asyncio.wait(set(self._drops))

    # ------------------------------------------------------------------- taken away

    def take_away(self, digests: Collection[str]) -> None:
        """New requests for these are refused."""
        self._taken_away.update(digests)

    def give_back(self, digests: Collection[str]) -> None:
        self._taken_away.difference_update(digests)

    async def purge(
        self, engine: AdapterHolder, digests: Collection[str], *, seconds: float
    ) -> bool:
        """Whether the engine has dropped, in this time, all of these that it ever got."""
        try:
            async with asyncio.timeout(seconds), self._turn:
                for digest in sorted(engine.sent.intersection(digests)):
                    await self._drop(engine, digest)
        except (TimeoutError, EngineError):
            return False
        return True

    def _refuse_taken_away(self, digests: Collection[str]) -> None:
        if not self._taken_away.isdisjoint(digests):
            raise AdapterTakenAway

    # ------------------------------------------------------------------- in and out

    async def _bring(self, engine: AdapterHolder, digest: str) -> None:
        """What the engine has stays there while the caller counts as its user."""
        self._refuse_taken_away({digest})
        if digest in engine.adapters:
            return
        async with self._turn:
            self._refuse_taken_away({digest})
            if digest in engine.adapters:
                return
            engine.sent.add(digest)  # before its bytes are opened, so that `purge` waits for us
            data = self._unpublished.get(digest) or await self._weights(digest)
            self._refuse_taken_away({digest})
            parameters = {"name": adapter_name(digest), "sha256": digest}
            async for _ in engine.process.ask("adapter_load", parameters, data):
                pass
            engine.adapters.came(digest, len(data))

    async def _drop(self, engine: AdapterHolder, digest: str) -> None:
        engine.adapters.gone(digest)
        with contextlib.suppress(EngineDied):  # then it is out of memory as well
            async for _ in engine.process.ask("adapter_drop", {"name": adapter_name(digest)}):
                pass


def adapter_name(digest: str) -> str:
    """The name of an adapter inside the engine: versions lie side by side."""
    return f"a_{digest[:12]}"
