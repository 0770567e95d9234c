"""A service that answers what a test tells it to, over the real servers and real sockets."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ipc.answered import AnsweredChat, Quality
from ipc.errors import OperationError, PromptTooLong, RequestError, UnknownAnswer, VaultLocked
from ipc.inference import (
    Finished,
    GenerationEvent,
    GenerationRequest,
    Loading,
    ModelInfo,
    Started,
    TextPiece,
)
from ipc.server import Servers
from ipc.sockets import ServiceSockets
from tests.daemon.cli.fake_backup import FakeBackup
from tests.daemon.cli.fake_collecting import FakeCollecting
from tests.daemon.cli.fake_forgetting import FakeForgetting
from tests.daemon.cli.fake_keys import FakeKeys
from tests.daemon.cli.fake_limits import FakeLimits
from tests.daemon.cli.fake_seeing import FakeSeeing
from tests.daemon.cli.fake_shelf import FakeShelf

Json = dict[str, Any]

STATUS: Json = {
    "state": "waiting",
    "base": "builtin",
    "adapter": "0123456789abcdef",
    "adapter_of_another_base": None,
    "documents": 1234,
    "pending_documents": 12,
    "engine": "stopped",
    "resident_bytes": 65_000_000,
}
WHY: Json = {
    "would_work": False,
    "conditions": [
        {
            "name": "on_ac_power",
            "holds": False,
            "value": "battery",
            "threshold": "ac",
            "since": 1_795_000_000.0,
            "reason": "on_battery",
        },
        {
            "name": "idle",
            "holds": None,
            "value": None,
            "threshold": 900,
            "since": None,
            "reason": "unknown",
        },
    ],
}
SOURCE: Json = {
    "name": "letters",
    "kind": "folder",
    "path": "/home/anselm/letters",
    "state": "active",
    "documents": 246,
    "last_scan_at": 1_795_000_000.0,
    "skipped": {"too_large": 1, "binary": 2},
    "last_error": None,
}
PREVIEW: Json = {
    "sources": [{"name": "letters", "documents": 246, "new_documents": 3, "characters": 4000}],
    "total_new_documents": 3,
    "left_out": {},
    "about_tokens": 1000,
    "minimum_tokens": 2000,
    "enough": False,
    "missing_tokens": 1000,
    "sentence": "A night needs about 1,000 more tokens of new text.",
    "documents": [],
}
NIGHT: Json = {
    "id": 7,
    "started_at": 1_795_000_000.0,
    "state": "done",
    "documents": 240,
    "tokens": 80_000,
    "tokens_per_second": 512.5,
    "steps": 40,
    "held_out_loss_before": 4.0,
    "held_out_loss_after": 3.4,
    "held_out_perplexity_before": 54.6,
    "held_out_perplexity_after": 30.0,
    "held_out_gain_low": 0.13,
    "held_out_gain_high": 0.17,
    "general_loss_before": 3.0,
    "general_loss_after": 3.03,
    "verdict": "passed",
    "reason": None,
    "sentence": "The new adapter knows the held-out text better.",
    "adapter": "fedcba9876543210",
    "seconds": 155.0,
    "stage_seconds": {"preparing": 5.0, "training": 140.0, "judging": 10.0},
    "lost": {},
}
PASSAGE: Json = {
    "document": 12,
    "beginning": "The bees came back on Tuesday, and",
    "written": " I counted them twice.",
    "before": " the king of the country was dead.",
    "after": " I counted the hives.\x1b[2J",
}
STEPS: list[Json] = [
    {"state": "preparing", "stage_progress": None},
    {
        "state": "training",
        "stage_progress": 0.5,
        "step": 20,
        "steps": 40,
        "loss": 3.5,
        "tokens": 40_000,
        "tokens_per_second": 512.5,
        "seconds": 70.0,
    },
]
ADAPTER: Json = {
    "sha256": "fedcba9876543210",
    "parent": None,
    "base": "builtin",
    "of_base_in_use": True,
    "trained_at": 1_795_000_000.0,
    "status": "current",
    "documents": 240,
}
BASE: Json = {
    "name": "builtin",
    "in_use": True,
    "identity": "ab" * 32,
    "model": "nightloom-15m",
    "parameters": 15_700_000,
    "context_tokens": 512,
    "weights_bytes": 11_000_000,
    "licence": "Apache-2.0",
    "description": "A base to try nightloom offline.",
    "problem": None,
}


class FakeAdmin:
    """An `AdminBackend`: answers as given, notes what it was asked, refuses when told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Json]] = []
        self.refusal: OperationError | None = None
        self.source_list = [SOURCE]
        self.night_entry = NIGHT
        self.night_list = [NIGHT]
        self.status_answer = STATUS
        self.adapter_list = [ADAPTER]
        self.base_list = [BASE]
        self.preview_answer = PREVIEW
        self.during_night: Callable[[], None] | None = None
        self.keys = FakeKeys()
        self.forgetting = FakeForgetting()
        self.seeing = FakeSeeing()
        self.limits = FakeLimits()
        self.collecting = FakeCollecting()
        self.backup = FakeBackup()
        self.shelf = FakeShelf()

    def _note(self, verb: str, **given: Any) -> None:
        self.asked.append((verb, given))
        if self.refusal is not None:
            raise self.refusal

    async def status(self) -> Json:
        self._note("status")
        return self.status_answer

    async def why(self) -> Json:
        self._note("why")
        return WHY

    async def sources(self) -> list[Json]:
        self._note("sources")
        return self.source_list

    async def add_source(self, **facts: Any) -> Json:
        self._note("add_source", **facts)
        return SOURCE

    async def remove_source(self, name: str) -> Json:
        self._note("remove_source", name=name)
        return {"name": name, "kept_documents": 246}

    async def rescan(self) -> Json:
        self._note("rescan")
        return {"documents": 246, "new_documents": 3}

    async def preview(self) -> Json:
        self._note("preview")
        return self.preview_answer

    async def run_night(self, *, on_battery: bool) -> AsyncGenerator[Json, None]:
        self._note("run_night", on_battery=on_battery)
        for step in STEPS:
            yield step
        if self.during_night is not None:
            await asyncio.to_thread(self.during_night)
        if self.night_entry:
            yield {"night": self.night_entry}

    async def stop_night(self) -> Json:
        self._note("stop_night")
        return {}

    async def pause_nights(self, seconds: float | None) -> Json:
        self._note("pause_nights", seconds=seconds)
        until = None if seconds is None else 1_795_000_000.0 + seconds
        return {"nights_paused": True, "until": until}

    async def resume_nights(self) -> Json:
        self._note("resume_nights")
        return {"nights_paused": False, "until": None, "was_paused": True}

    async def night_passages(self, night: int | None) -> AsyncGenerator[Json, None]:
        self._note("night_passages", night=night)
        yield PASSAGE

    async def nights(self, count: int | None) -> list[Json]:
        self._note("nights", count=count)
        return self.night_list

    async def adapters(self) -> list[Json]:
        self._note("adapters")
        return self.adapter_list

    async def use_adapter(self, adapter: str) -> Json:
        self._note("use_adapter", adapter=adapter)
        return ADAPTER

    async def rollback(self) -> Json:
        self._note("rollback")
        return ADAPTER

    async def bases(self) -> list[Json]:
        self._note("bases")
        return self.base_list

    async def shut_down(self) -> Json:
        self._note("shut_down")
        return {}


class FakeModel:
    """An `InferenceBackend` that says the pieces it was given, and a `ChatKeeper` that counts."""

    def __init__(self) -> None:
        self.requests: list[GenerationRequest] = []
        self.pieces = ["So much ", "for Sunday."]
        self.by_model: dict[str, list[str]] = {}  # pieces of a model that says something else
        self.loads: list[float] = []  # shares, before it says anything
        self.fails_after: RequestError | None = None  # the first piece
        self.locked = False
        self.version: str | None = None  # that answers; None: the one that is asked
        self.refusals: list[RequestError] = []
        self.longest: int | None = None  # messages that its context holds
        self.hold_after_first: threading.Event | None = None
        self.hung_up = threading.Event()
        self.kept: list[AnsweredChat] = []
        self.out: list[str] = []  # ids of answers
        self.words: list[tuple[str, Quality]] = []

    def answered(self, chat: AnsweredChat) -> None:
        self.kept.append(chat)

    def kept_out(self, id: str) -> None:
        self.out.append(id)

    async def judged(self, id: str, quality: Quality) -> bool:
        if not any(chat.id == id for chat in self.kept):
            raise UnknownAnswer
        self.words.append((id, quality))
        return quality == "good"

    async def models(self) -> list[ModelInfo]:
        if self.locked:
            raise VaultLocked
        return [ModelInfo(id=id, created=0) for id in ("base", "personal", "personal@0123456789ab")]

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        self.requests.append(request)
        if self.refusals:
            raise self.refusals.pop(0)
        if self.longest is not None and len(request.messages or ()) > self.longest:
            raise PromptTooLong
        for share in self.loads:
            yield Loading(share=share)
        yield Started(model=self.version or request.model, prompt_tokens=3)
        pieces = self.by_model.get(request.model, self.pieces)
        try:
            for piece in pieces:
                yield TextPiece(text=piece)
                if self.fails_after is not None:
                    raise self.fails_after
                if self.hold_after_first is not None:
                    self.hold_after_first.set()
                    await asyncio.Event().wait()  # only hanging up ends this
        except (GeneratorExit, asyncio.CancelledError):
            self.hung_up.set()
            raise
        yield Finished(reason="stop", completion_tokens=len(pieces))


@contextmanager
def serving(runtime_folder: Path, admin: FakeAdmin, model: FakeModel) -> Iterator[None]:
    """Both sockets, served from a thread until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake service")
    thread.start()
    try:
        with ServiceSockets.claim(runtime_folder, environ={}) as sockets:
            servers = Servers(keeper=model)
            starting = servers.start(sockets.api, sockets.admin, model, admin)
            asyncio.run_coroutine_threadsafe(starting, loop).result(timeout=10)
            yield
            asyncio.run_coroutine_threadsafe(servers.stop(), loop).result(timeout=10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
