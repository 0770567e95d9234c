"""The service's side of the engine: start it when it is needed, ask it, notice when it is gone.

One engine at most. What it answers is handed on as messages; what they are worth is checked by
whoever asked. An engine that dies ends every open request with `EngineDied`; the next request
starts another one.
"""

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from daemon.errors import EngineDied, EngineFailed
from daemon.memory_reading import resident_bytes
from ipc.errors import LinkError
from ipc.frames import Body
from ipc.link import AsyncLink, Message, link_sockets

STOP_SECONDS = 5.0


class EngineState(StrEnum):
    STOPPED = "stopped"
    LOADING = "loading"
    SERVING = "serving"
    TRAINING = "training"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Something that goes before a request: a document's text, an adapter's bytes."""

    name: str
    body: Body = field(repr=False)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedBase:
    """What the engine says about the base that it loaded."""

    identity: str
    name: str
    context_tokens: int
    parameters: int
    network_denied: bool


class _Running:
    """One engine process and the requests that wait for it."""

    def __init__(self, process: asyncio.subprocess.Process, link: AsyncLink) -> None:
        self.process = process
        self.link = link
        self.replies: dict[int, asyncio.Queue[Message | None]] = {}
        self.adapters: set[str] = set()
        self.base: LoadedBase | None = None
        self.pump: asyncio.Task[None] | None = None
        self.gone = False


class EngineHandle:
    """Asks the engine, starting and stopping its process.

    Args:
        base_folder: the base to load, asked at every start.
        weights: opens an adapter's bytes by digest, when the engine does not have it yet.
        threads: for the engine's matrix work; 0 takes all cores.
        idle_seconds: after so long without a request the process is stopped and its memory freed.
    """

    def __init__(
        self,
        *,
        base_folder: Callable[[], Path],
        weights: Callable[[str], Awaitable[bytes]],
        threads: int = 0,
        idle_seconds: float = 300.0,
    ) -> None:
        self._base_folder = base_folder
        self._weights = weights
        self._threads = threads
        self._idle_seconds = idle_seconds
        self._running: _Running | None = None
        self._starting = asyncio.Lock()
        self._loading_adapter = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._open_requests = 0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._training = False
        self._loading = False
        self._stops: set[asyncio.Task[None]] = set()
        self._unpublished: dict[str, bytes] = {}

    # ------------------------------------------------------------------- state

    @property
    def state(self) -> EngineState:
        if self._loading:
            return EngineState.LOADING
        if self._running is None or self._running.gone:
            return EngineState.STOPPED
        return EngineState.TRAINING if self._training else EngineState.SERVING

    @property
    def process_id(self) -> int | None:
        running = self._running
        return None if running is None or running.gone else running.process.pid

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

        Closing the generator before that cancels the request.

        Args:
            adapters: digests that must be loaded before; they are named `adapter_name(digest)`.

        Raises:
            EngineFailed: the engine answered `failed`.
            EngineDied: the process is gone.
        """
        with self._in_use():
            running = await self._ensure_running()
            for digest in adapters:
                await self._ensure_adapter(running, digest)
            self._training = self._training or op == "train"
            messages = self._ask(running, op, parameters or {}, body, attachments)
            try:
                async with contextlib.aclosing(messages):
                    async for message in messages:
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
        running = self._running
        if running is None or running.gone:
            return
        with contextlib.suppress(LinkError):
            for number in list(running.replies):
                header = {"id": 0, "op": "stop_training", "target": number}
                await running.link.send(Message(header=header))

    @contextlib.contextmanager
    def unpublished(self, digest: str, weights: bytes) -> Iterator[None]:
        """Inside, an adapter that is on no shelf can be asked for by its digest."""
        self._unpublished[digest] = weights
        try:
            yield
        finally:
            del self._unpublished[digest]

    async def drop_adapter(self, digest: str) -> None:
        """Take an adapter out of the engine's memory, if it is there."""
        running = self._running
        if running is None or running.gone or digest not in running.adapters:
            return
        running.adapters.discard(digest)
        with contextlib.suppress(EngineDied):  # then it is out of memory as well
            async for _ in self._ask(running, "adapter_drop", {"name": adapter_name(digest)}, b""):
                pass

    async def _ask(
        self,
        running: _Running,
        op: str,
        parameters: dict[str, Any],
        body: Body,
        attachments: AsyncIterator[Attachment] | None = None,
    ) -> AsyncGenerator[Message, None]:
        number = next(self._numbers)
        replies: asyncio.Queue[Message | None] = asyncio.Queue()
        running.replies[number] = replies
        finished = False
        try:
            if attachments is not None:
                async for attached in attachments:
                    header = {"id": number, "attach": attached.name, **attached.facts}
                    await running.link.send(Message(header=header, body=attached.body))
            header = {"id": number, "op": op, "parameters": parameters}
            await running.link.send(Message(header=header, body=body))
            while True:
                message = await replies.get()
                if message is None:
                    finished = True
                    raise EngineDied()
                event = message.header.get("event")
                finished = event in ("done", "failed")
                if event == "failed":
                    raise EngineFailed.from_header(message.header)
                yield message
                if finished:
                    return
        except LinkError as error:
            finished = True
            raise EngineDied() from error
        finally:
            running.replies.pop(number, None)
            if not finished and not running.gone:
                with contextlib.suppress(LinkError):
                    header = {"id": 0, "op": "cancel", "target": number}
                    await running.link.send(Message(header=header))

    async def _ensure_adapter(self, running: _Running, digest: str) -> None:
        async with self._loading_adapter:
            if digest in running.adapters:
                return
            data = self._unpublished.get(digest) or await self._weights(digest)
            parameters = {"name": adapter_name(digest), "sha256": digest}
            async for _ in self._ask(running, "adapter_load", parameters, data):
                pass
            running.adapters.add(digest)

    # ------------------------------------------------------------------- process

    async def _ensure_running(self) -> _Running:
        async with self._starting:
            running = self._running
            if running is not None and not running.gone:
                return running
            self._loading = True
            try:
                if running is not None:
                    await self._end(running)
                return await self._start()
            finally:
                self._loading = False

    async def _start(self) -> _Running:
        """Start a process and have it load the base; from its first moment on `stop` finds it."""
        folder = self._base_folder()
        running = self._running = await self._spawn()
        try:
            parameters = {"folder": str(folder), "threads": self._threads}
            async for message in self._ask(running, "load", parameters, b""):
                header = message.header
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

    async def _spawn(self) -> _Running:
        ours, theirs = link_sockets()
        with contextlib.ExitStack() as undo, theirs:
            undo.callback(ours.close)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # what lies in the current folder is not ours to import
                "-m",
                "daemon.engine",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                env=engine_environment(os.environ),
                process_group=0,  # Ctrl-C is the service's to answer
            )
            undo.pop_all()
        running = _Running(process, await AsyncLink.connect(ours))
        running.pump = asyncio.create_task(self._pump(running), name="engine replies")
        return running

    async def _pump(self, running: _Running) -> None:
        """Hand every reply to the request that waits for it, until the engine is gone."""
        try:
            with contextlib.suppress(LinkError):
                while True:
                    message = await running.link.receive()
                    number = message.header.get("id")
                    replies = running.replies.get(number) if type(number) is int else None
                    if replies is not None:
                        replies.put_nowait(message)
        finally:
            running.gone = True
            for replies in running.replies.values():
                replies.put_nowait(None)

    async def stop(self) -> None:
        """Stop the process and wait until it is gone; its memory comes back."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        running, self._running = self._running, None
        if running is not None:
            await self._end(running)
        if self._stops:
            await asyncio.wait(set(self._stops))

    async def _end(self, running: _Running) -> None:
        running.gone = True
        await running.link.close()
        patience = STOP_SECONDS if running.base else 0.0  # one that still starts hears nothing
        try:
            await asyncio.wait_for(running.process.wait(), patience)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                running.process.kill()
            await running.process.wait()
        if running.pump is not None:
            await running.pump

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
                loop = asyncio.get_running_loop()
                self._idle_timer = loop.call_later(self._idle_seconds, self._stop_idle)

    def _stop_idle(self) -> None:
        """From here on no request finds the engine; the next one starts another."""
        running, self._running = self._running, None
        if running is not None:
            stopping = asyncio.create_task(self._end(running), name="engine idle")
            self._stops.add(stopping)
            stopping.add_done_callback(self._stops.discard)


def adapter_name(digest: str) -> str:
    """The name of an adapter inside the engine: versions lie side by side."""
    return f"a_{digest[:12]}"


def body_json(value: object) -> bytes:
    """A request's private part: it goes into the body, which nothing ever logs."""
    return json.dumps(value, ensure_ascii=False).encode()


def engine_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What the engine may know of our environment: no home, no passphrase file."""
    kept = {
        name: value
        for name, value in ours.items()
        if name in ("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "OMP_NUM_THREADS",
                    "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "PYTHONPATH")
    }  # fmt: skip
    return kept | {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HOME": "/nonexistent",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Threads that wait for each other give their core away soon: 4 % slower alone, and beside
        # a busy loop 700 to 1,240 instead of 670 to 930 tokens/s (2 cores, one short run each).
        "GOMP_SPINCOUNT": "1000",
    }
