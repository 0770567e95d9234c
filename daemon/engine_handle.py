"""The service's side of the engine: start it when it is needed, stop it when nobody asks.

One engine at most, with the base that is in use and the adapters that were asked for. When it is
gone, the next request starts another one.
"""

import asyncio
import contextlib
import logging
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
)
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from daemon.engine_adapters import AdapterHolder, EngineAdapters, adapter_name
from daemon.engine_process import Attachment, EngineProcess
from daemon.engine_starting import Starting
from daemon.errors import EngineDied, EngineError
from daemon.loaded_adapters import AdapterBounds
from daemon.memory_reading import resident_bytes
from daemon.night_holding import ChatTurns
from ipc.frames import Body
from ipc.link import Message

__all__ = ["EngineHandle", "EngineState", "LoadedBase", "adapter_name"]

log = logging.getLogger("nightloom.engine")

WORD_SECONDS = 30.0  # a layer takes one at most, on a machine that is not busy


class EngineState(StrEnum):
    STOPPED = "stopped"
    LOADING = "loading"
    SERVING = "serving"
    TRAINING = "training"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedBase:
    """What the engine says about the base that it loaded."""

    identity: str
    name: str
    context_tokens: int
    parameters: int
    network_denied: bool


class _Running(AdapterHolder):
    """An engine process and what it holds."""

    def __init__(self, process: EngineProcess, bounds: AdapterBounds) -> None:
        super().__init__(process, bounds)
        self.base: LoadedBase | None = None
        self.resting = False  # patient work is held


class EngineHandle:
    """Asks the engine, starting and stopping its process.

    Args:
        base_folder: the base to load, asked at every start.
        weights: opens an adapter's bytes by digest, when the engine does not have it yet.
        threads: for the engine's matrix work; 0 takes all cores.
        memory_bytes: the most that it may take; None: what is free.
        bounds: of adapters that it keeps though they answer nobody.
        idle_seconds: after so long without a request the process is stopped and its memory freed.
    """

    def __init__(
        self,
        *,
        base_folder: Callable[[], Path],
        weights: Callable[[str], Awaitable[bytes]],
        threads: int = 0,
        memory_bytes: int | None = None,
        bounds: AdapterBounds | None = None,
        idle_seconds: float = 300.0,
    ) -> None:
        self._base_folder = base_folder
        self._adapters = EngineAdapters(weights)
        self._load_parameters = {"threads": threads, "memory_bytes": memory_bytes}
        self._bounds = bounds or AdapterBounds()
        self._idle_seconds = idle_seconds
        self._running: _Running | None = None
        self._starting: Starting[_Running] | None = None
        self._open_requests = 0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._training = False
        self._end_when_unused = False
        self._chat_seconds = 0.0
        self.chat: ChatTurns | None = None  # as the engine told of them last
        self._stops: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------------- state

    @property
    def state(self) -> EngineState:
        if self._starting is not None and not self._starting.done:
            return EngineState.LOADING
        running = self._alive()
        if running is None:
            return EngineState.STOPPED
        trains = self._training and not running.resting
        return EngineState.TRAINING if trains else EngineState.SERVING

    @property
    def process_id(self) -> int | None:
        running = self._alive()
        return None if running is None else running.process.pid

    @property
    def base(self) -> LoadedBase | None:
        """What the running engine loaded; None while none runs."""
        return None if self._running is None else self._running.base

    def resident_bytes(self) -> int:
        pid = self.process_id
        return 0 if pid is None else resident_bytes(pid)

    # ------------------------------------------------------------------- requests

    async def load(self) -> LoadedBase:
        """Start the engine if it does not run, and say what it loaded."""
        with self._in_use():
            running = await self._ensure_running()
            assert running.base is not None
            return running.base

    async def request(
        self,
        op: str,
        parameters: dict[str, Any] | None = None,
        body: Body = b"",
        *,
        attachments: AsyncIterator[Attachment] | None = None,
        adapters: Iterable[str] = (),
    ) -> AsyncGenerator[Message, None]:
        """Ask the engine; yields its messages, the last one is `done`.

        Who wants an answer and has to wait for the base hears of that first: `loading`, with the
        `share` of it that is done. Closing the generator before that cancels the request.

        Args:
            adapters: digests that must be loaded before; they are named `adapter_name(digest)`.

        Raises:
            EngineFailed: the engine answered `failed`.
            EngineDied: the process is gone.
            AdapterTakenAway: one of the adapters was, before or meanwhile.
        """
        used = frozenset(adapters)
        with self._in_use():
            async with contextlib.aclosing(self._until_running()) as shares:
                async for share in shares:
                    if op == "generate":
                        yield Message(header={"event": "loading", "share": share})
            running = self._ready()
            async with self._adapters.having(running, used):
                self._training = self._training or op == "train"
                messages = running.process.ask(
                    op, parameters or {}, body, attachments, adapters=used
                )
                try:
                    async with contextlib.aclosing(messages):
                        async for message in messages:
                            if message.header.get("event") == "chat":
                                self._chats_took(message)
                            else:
                                yield message
                finally:
                    if op == "train":
                        self._training = False

    async def ask(
        self, op: str, parameters: dict[str, Any], body: Body = b"", **more: Any
    ) -> Message:
        """Like `request`, for a request with one answer."""
        last: Message | None = None
        async for message in self.request(op, parameters, body, **more):
            last = message
        assert last is not None
        return last

    async def stop_training(self) -> None:
        """Ask a running `train` to give a checkpoint and end."""
        running = self._alive()
        if running is not None:
            await running.process.stop_training()

    async def hold(self) -> None:
        """Have patient work rest; returns when nothing is computed for it any more.

        It keeps all that it has; clients are served as before.
        """
        running = self._alive()
        if running is not None and running.base is not None:
            running.resting = True
            await self._say(running, "hold")

    async def go_on(self) -> None:
        """Have patient work go on from where it rests."""
        running = self._alive()
        if running is not None and running.resting:
            running.resting = False
            await self._say(running, "go_on")

    async def _say(self, running: _Running, word: str) -> None:
        """An engine that does not answer is killed: what it computes must not go on."""
        try:
            async with asyncio.timeout(WORD_SECONDS):
                async for _ in running.process.ask(word, {}):
                    pass
        except TimeoutError:
            log.error("the engine did not hear %s, and is ended", word)
            if self._alive() is running:
                await self.kill()
        except EngineError:
            pass  # one that is gone computes nothing

    def _chats_took(self, message: Message) -> None:
        header = message.header
        self.chat = ChatTurns(share=float(header["share"]), capped=bool(header["capped"]))
        self._chat_seconds += float(header["seconds"])

    def take_chat_seconds(self) -> float:
        """Seconds that patient work lost to chats since this was asked last."""
        seconds, self._chat_seconds = self._chat_seconds, 0.0
        return seconds

    async def answers(self, *, seconds: float) -> bool:
        """Whether the engine hears what is asked, if one runs and has its base."""
        running = self._alive()
        if running is None or running.base is None:
            return True
        with contextlib.suppress(EngineError):  # then it is gone, and the next request starts one
            try:
                async with asyncio.timeout(seconds):
                    async for _ in running.process.ask("ping", {}):
                        pass
            except TimeoutError:
                return False
        return True

    @contextlib.contextmanager
    def unpublished(self, digest: str, weights: bytes) -> Iterator[None]:
        """Inside, an adapter that is on no shelf can be asked for by its digest."""
        with self._adapters.unpublished(digest, weights):
            yield

    async def drop_adapter(self, digest: str) -> None:
        """Take an adapter out of the engine's memory, once nobody is answered by it any more."""
        running = self._alive()
        if running is not None:
            running.adapters.let_go(digest)
            await self._adapters.drop_surplus(running)

    def holds(self, digest: str) -> bool:
        """Whether an adapter is in the engine's memory."""
        running = self._alive()
        return running is not None and digest in running.adapters

    def take_away(self, digests: Collection[str]) -> None:
        """From now on these answer nobody: requests in flight end, new ones are refused."""
        self._adapters.take_away(digests)
        running = self._alive()
        if running is not None:
            running.process.take_away(digests)

    def give_back(self, digests: Collection[str]) -> None:
        """They were not withdrawn after all."""
        self._adapters.give_back(digests)

    async def purge(self, digests: Collection[str], *, seconds: float) -> bool:
        """Have the engine hold none of these; whether it had to be killed for that.

        An engine that is too busy to drop them in time is killed: whatever it held is gone then.
        """
        running = self._alive()
        if running is None or running.sent.isdisjoint(digests):
            return False
        if await self._adapters.purge(running, digests, seconds=seconds):
            return False
        await self.kill()
        return True

    async def kill(self) -> None:
        """End the process at once, with all that is in its memory; the next request starts one."""
        running, self._running = self._running, None
        if running is not None:
            await running.process.end(patiently=False)

    # ------------------------------------------------------------------- process

    async def _ensure_running(self) -> _Running:
        async with contextlib.aclosing(self._until_running()) as shares:
            async for _ in shares:
                pass
        return self._ready()

    async def _until_running(self) -> AsyncGenerator[float, None]:
        """Start the engine if need be; which share of that is done. At its end there is one.

        Raises what went wrong.
        """
        while (running := self._alive()) is None or running.base is None:
            if self._starting is None:
                self._starting = Starting(self._start)
            starting = self._starting
            async with contextlib.aclosing(starting.progress()) as shares:
                async for share in shares:
                    yield share
            if self._starting is starting:
                self._starting = None
            if not starting.given_up:
                starting.result()

    def _ready(self) -> _Running:
        running = self._alive()
        if running is None:
            raise EngineDied
        return running

    async def _start(self, progressed: Callable[[float], None]) -> _Running:
        """Start a process and have it load the base; from its first moment on `stop` finds it."""
        if self._running is not None:
            await self._end(self._running)
        folder = self._base_folder()
        running = self._running = _Running(await EngineProcess.start(), self._bounds)
        try:
            parameters = {"folder": str(folder), **self._load_parameters}
            async for message in running.process.ask("load", parameters):
                header = message.header
                if header["event"] == "progress":
                    progressed(float(header["share"]))
            running.base = LoadedBase(
                identity=str(header["identity"]),
                name=str(header["name"]),
                context_tokens=int(header["context_tokens"]),
                parameters=int(header["parameters"]),
                network_denied=bool(header["network_denied"]),
            )
        except BaseException:
            self._running = None
            await self._end(running)
            raise
        return running

    async def stop(self) -> None:
        """Stop the process and wait until it is gone; its memory comes back."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        running, self._running = self._running, None
        if running is not None:
            await self._end(running)
        if self._stops:
            await asyncio.wait(set(self._stops))
        await self._adapters.settled()

    async def let_go(self) -> None:
        """End the process as soon as nobody asks it anything; its memory comes back."""
        if self._open_requests:
            self._end_when_unused = True
        elif self._running is not None:
            await self.stop()

    async def _end(self, running: _Running) -> None:
        loaded = running.base is not None
        await running.process.end(patiently=loaded)  # one that loads hears nothing

    def _alive(self) -> _Running | None:
        running = self._running
        return None if running is None or running.process.gone else running

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        """While somebody is inside, and for the idle time after the last one, the engine stays."""
        self._open_requests += 1
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        try:
            yield
        finally:
            self._open_requests -= 1
            if self._open_requests == 0:
                seconds = 0.0 if self._end_when_unused else self._idle_seconds
                self._end_when_unused = False
                loop = asyncio.get_running_loop()
                self._idle_timer = loop.call_later(seconds, self._stop_idle)

    def _stop_idle(self) -> None:
        """From here on no request finds the engine; the next one starts another."""
        running, self._running = self._running, None
        if running is not None:
            stopping = asyncio.create_task(self._end(running), name="engine idle")
            self._stops.add(stopping)
            stopping.add_done_callback(self._stops.discard)
