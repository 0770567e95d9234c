"""A `SeeingBackend` that answers what a test tells it to."""

from collections.abc import AsyncGenerator
from typing import Any

from ipc.errors import OperationError
from ipc.given_secret import GivenSecret

Json = dict[str, Any]

TEXT: Json = {
    "kind": "document",
    "document": 7,
    "item": 3,
    "version": 2,
    "state": "new",
    "source": "letters",
    "path": "spring/to-ada.md",
    "modified_at": 1_795_000_000.0,
    "collected_day": "2026-11-20",
    "characters": 43,
    "redactions": {"email": 1},
    "text": "Write to [email 1] about the hives, please.",
    "placeholders": [{"kind": "email", "start": 9, "end": 18}],
}
AUDIT: Json = {
    "holds": True,
    "quick": False,
    "since": None,
    "checks": [
        {"name": "events", "holds": True, "value": "follow from one another", "advice": ""},
        {"name": "nothing in clear", "holds": None, "value": "no text yet", "advice": ""},
    ],
    "host": [{"name": "swap", "holds": False, "value": "lies in clear", "advice": "Seal it."}],
    "asked": [
        {
            "socket": "api",
            "program": "editor",
            "uid": 1000,
            "pids": [41],
            "requests": 12,
            "tokens": 3400,
            "last_at": 1_795_000_000.0,
            "what": {"personal@fedcba987654": 11, "models": 1},
        }
    ],
    "served": [{"model": "personal@fedcba987654", "requests": 11, "tokens": 3400}],
    "collected": [
        {"source": "letters", "documents": 246, "kept_out": 1, "last_at": 1_795_000_000.0}
    ],
    "nights": [{"night": 7, "state": "done", "reason": None, "at": 1_795_000_000.0}],
    "published": [
        {
            "event": 9,
            "kind": "published",
            "at": 1_795_000_000.0,
            "night": 7,
            "adapter": "fedcba987654",
            "parent": None,
            "documents": 240,
        }
    ],
    "forgotten": [{"event": 11, "kind": "forgotten", "at": 1_795_000_000.0, "documents": 3}],
    "exported": [
        {
            "event": 12,
            "kind": "adapter_exported",
            "at": 1_795_000_000.0,
            "documents": 0,
            "adapters": ["fedcba987654"],
            "folder": "/media/stick/adapter",
        }
    ],
    "others": [{"event": 2, "kind": "unlocked", "at": 1_795_000_000.0, "slot": "passphrase"}],
}


class FakeSeeing:
    """Answers as given, notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Json]] = []
        self.refusal: OperationError | None = None  # at once
        self.failure: Exception | None = None  # after the lines
        self.text_lines: list[Json] = [TEXT]
        self.audit_answer = AUDIT
        self.export_lines: list[Json] = [{"done": {"documents": 0, "left_out": 0}}]
        self.was_forgotten = False

    def _note(self, verb: str, **given: Any) -> None:
        self.asked.append((verb, given))
        if self.refusal is not None:
            raise self.refusal

    async def texts(
        self, *, document: int | None, after: int, count: int | None
    ) -> AsyncGenerator[Json, None]:
        self._note("texts", document=document, after=after, count=count)
        for line in self.text_lines:
            yield line
        if self.failure is not None:
            raise self.failure

    async def forgotten(self, *, source: str | None, path: str | None, text: str) -> Json:
        self._note("forgotten", source=source, path=path, text=text)
        return {"forgotten": self.was_forgotten}

    async def audit(self, *, quick: bool, since: float | None) -> AsyncGenerator[Json, None]:
        self._note("audit", quick=quick, since=since)
        yield {"progress": {"check": "events", "share": None}}
        yield {"progress": {"check": "nothing in clear", "share": 0.5}}
        yield {"audit": self.audit_answer}

    async def export(self, secret: GivenSecret, folder: str | None) -> AsyncGenerator[Json, None]:
        self._note("export", secret=secret, folder=folder)
        for line in self.export_lines:
            yield line
        if self.failure is not None:
            raise self.failure
