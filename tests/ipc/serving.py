"""A real server on real sockets, on a thread of its own, over backends made of functions."""

import asyncio
import http.client
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ipc.asking import Account
from ipc.client import AdminClient, InferenceClient
from ipc.client_calls import UnixConnection
from ipc.inference import (
    Finished,
    GenerationEvent,
    GenerationRequest,
    ModelInfo,
    Started,
    TextPiece,
)
from ipc.server import Limits, Servers
from ipc.sockets import ServiceSockets, admin_socket_path, api_socket_path
from tests.daemon.cli.fake_backup import FakeBackup
from tests.daemon.cli.fake_collecting import FakeCollecting
from tests.daemon.cli.fake_forgetting import FakeForgetting
from tests.daemon.cli.fake_keys import FakeKeys
from tests.daemon.cli.fake_limits import FakeLimits
from tests.daemon.cli.fake_seeing import FakeSeeing
from tests.daemon.cli.fake_shelf import FakeShelf

Json = dict[str, Any]
Events = AsyncGenerator[GenerationEvent, None]

PINNED = "personal@0123456789ab"
SOON_SECONDS = 10.0  # how long a test waits for what must happen


def saying(*pieces: str) -> Callable[[GenerationRequest], Events]:
    """A model that answers everything with `pieces`."""

    async def generate(_request: GenerationRequest) -> Events:
        yield Started(model=PINNED, prompt_tokens=5)
        for piece in pieces:
            yield TextPiece(text=piece)
        yield Finished(reason="stop", completion_tokens=len(pieces))

    return generate


def failing(error: Exception, *, after: tuple[str, ...] = ()) -> Callable[..., Events]:
    """A model that says `after`, if anything, and fails."""

    async def generate(_request: GenerationRequest) -> Events:
        if after:
            yield Started(model=PINNED, prompt_tokens=5)
        for piece in after:
            yield TextPiece(text=piece)
        raise error

    return generate


@dataclass
class Talker:
    """A model that never stops talking by itself, and notes when it was stopped."""

    word: str = "and "
    stopped: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, _request: GenerationRequest) -> Events:
        try:
            yield Started(model=PINNED, prompt_tokens=5)
            while True:
                self.begun.set()
                yield TextPiece(text=self.word)
                await asyncio.sleep(0.005)
        finally:
            self.stopped.set()


@dataclass
class Silent:
    """A model that thinks until it is let go."""

    let_go: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, request: GenerationRequest) -> Events:
        self.begun.set()
        try:
            while not self.let_go.is_set():  # noqa: ASYNC110 - it is set on the test's thread
                await asyncio.sleep(0.005)
        finally:
            self.stopped.set()
        async for event in saying("done")(request):
            yield event


@dataclass
class Inference:
    """An `InferenceBackend` that keeps what it was asked."""

    answer: Callable[[GenerationRequest], Events] = field(default_factory=lambda: saying("Hello"))
    requests: list[GenerationRequest] = field(default_factory=list)

    async def models(self) -> list[ModelInfo]:
        return [
            ModelInfo(id="base", created=1_700_000_000),
            ModelInfo(
                id="personal",
                created=1_700_000_001,
                sha256="ab" * 32,
                parent="cd" * 32,
                trained_at=1_700_000_001,
                status="current",
            ),
        ]

    async def generate(self, request: GenerationRequest) -> Events:
        self.requests.append(request)
        events = self.answer(request)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()


async def one_night() -> AsyncGenerator[Json, None]:
    yield {"state": "training", "steps": 3}
    yield {"id": 1, "state": "done", "verdict": "passed"}


@dataclass
class Administration:
    """An `AdminBackend` that answers with what it was told to do."""

    night: Callable[[], AsyncGenerator[Json, None]] = one_night
    error: Exception | None = None
    on_battery: bool | None = None
    shut: threading.Event = field(default_factory=threading.Event)
    keys: FakeKeys = field(default_factory=FakeKeys)
    forgetting: FakeForgetting = field(default_factory=FakeForgetting)
    seeing: FakeSeeing = field(default_factory=FakeSeeing)
    limits: FakeLimits = field(default_factory=FakeLimits)
    backup: FakeBackup = field(default_factory=FakeBackup)
    shelf: FakeShelf = field(default_factory=FakeShelf)
    collecting: FakeCollecting = field(default_factory=FakeCollecting)

    async def _answer(self, did: str, **given: Any) -> Json:
        if self.error is not None:
            raise self.error
        return {"did": did, **given}

    async def status(self) -> Json:
        return await self._answer("status")

    async def why(self) -> Json:
        return await self._answer("why")

    async def sources(self) -> list[Json]:
        return [await self._answer("sources")]

    async def add_source(self, **facts: Any) -> Json:
        return await self._answer("add_source", **facts)

    async def remove_source(self, name: str) -> Json:
        return await self._answer("remove_source", name=name)

    async def rescan(self) -> Json:
        return await self._answer("rescan")

    async def preview(self) -> Json:
        return await self._answer("preview")

    def run_night(self, *, on_battery: bool) -> AsyncGenerator[Json, None]:
        self.on_battery = on_battery
        return self.night()

    async def pause_nights(self, seconds: float | None) -> Json:
        return await self._answer("pause_nights", seconds=seconds)

    async def resume_nights(self) -> Json:
        return await self._answer("resume_nights")

    async def stop_night(self) -> Json:
        return await self._answer("stop_night")

    async def night_passages(self, night: int | None) -> AsyncGenerator[Json, None]:
        yield await self._answer("night_passages", night=night)

    async def nights(self, count: int | None) -> list[Json]:
        return [await self._answer("nights", count=count)]

    async def adapters(self) -> list[Json]:
        return [await self._answer("adapters")]

    async def use_adapter(self, adapter: str) -> Json:
        return await self._answer("use_adapter", adapter=adapter)

    async def rollback(self) -> Json:
        return await self._answer("rollback")

    async def bases(self) -> list[Json]:
        return [await self._answer("bases")]

    async def shut_down(self) -> Json:
        self.shut.set()
        return await self._answer("shut_down")


@dataclass(frozen=True, kw_only=True)
class House:
    """What a test talks to."""

    runtime: Path
    inference: Inference
    administration: Administration

    @property
    def api_path(self) -> Path:
        return api_socket_path(self.runtime)

    @property
    def admin_path(self) -> Path:
        return admin_socket_path(self.runtime)

    @property
    def model(self) -> InferenceClient:
        return InferenceClient(self.api_path)

    @property
    def admin(self) -> AdminClient:
        return AdminClient(self.admin_path)

    def post(self, route: str, body: bytes, headers: dict[str, str] | None = None) -> "Reply":
        return self.ask("POST", route, body, headers)

    def ask(
        self,
        method: str,
        route: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        path: Path | None = None,
    ) -> "Reply":
        connection = UnixConnection(path or self.api_path, timeout=SOON_SECONDS)
        try:
            connection.request(method, route, body, headers or {})
            with connection.getresponse() as response:
                return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@contextmanager
def house(
    runtime: Path,
    *,
    answer: Callable[[GenerationRequest], Events] | None = None,
    administration: Administration | None = None,
    limits: Limits | None = None,
    allowed_uid: int | None = None,
    account: Account | None = None,
) -> Generator[House, None, None]:
    inference = Inference() if answer is None else Inference(answer=answer)
    administration = administration or Administration()
    ready, leave = threading.Event(), threading.Event()

    async def serve() -> None:
        with ServiceSockets.claim(runtime, environ={}) as sockets:
            servers = Servers(limits=limits, allowed_uid=allowed_uid, account=account)
            await servers.start(sockets.api, sockets.admin, inference, administration)
            ready.set()
            try:
                await asyncio.to_thread(leave.wait)
            finally:
                await servers.stop()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(SOON_SECONDS)
    try:
        yield House(runtime=runtime, inference=inference, administration=administration)
    finally:
        leave.set()
        thread.join(SOON_SECONDS)
        assert not thread.is_alive()
