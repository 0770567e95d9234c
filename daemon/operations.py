"""What the command line asks for, done: the backend of `admin.sock`.

Thin: it fetches from the vault, the collector, the engine and the night shift, and puts the
answers into the stable keys of `--json`. Errors of ours become `OperationError`s with the code
that the command line turns into an exit code.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon import bases as base_listing
from daemon import night_record
from daemon.bases import Bases
from daemon.collecting.collector import Collector
from daemon.engine_handle import EngineHandle
from daemon.errors import (
    DaemonError,
    SourceError,
    SourceInsideSource,
    SourceIsVault,
    UnknownBase,
)
from daemon.memory_reading import own_bytes
from daemon.night_planning import PlanPolicy, about_tokens
from daemon.night_record import NightState
from daemon.night_runner import NightRunner
from daemon.vault_door import VaultDoor
from ipc.errors import OperationError
from storage.errors import NotKept, SourceExists, StorageError
from storage.records import DocumentState, PublishedAdapter, SourceSettings, StoredDocument
from storage.vault import Vault

Json = dict[str, Any]


class Operations:
    """Implements `ipc.administration.AdminBackend`."""

    def __init__(
        self,
        *,
        vault: VaultDoor,
        engine: EngineHandle,
        collector: Collector,
        nights: NightRunner,
        bases: Bases,
        base_name: str,
        plan: PlanPolicy,
        shut_down: Callable[[], None],
    ) -> None:
        self._vault = vault
        self._engine = engine
        self._collector = collector
        self._nights = nights
        self._bases = bases
        self._base_name = base_name
        self._plan = plan
        self._shut_down = shut_down

    # ------------------------------------------------------------------- state

    async def status(self) -> Json:
        with _said():
            counts = await self._vault.call(lambda vault: vault.documents.counts())
            current = await self._vault.call(lambda vault: vault.shelf.current())
            last = await self._vault.call(lambda vault: vault.ledger.nights(1))
        live = {state: n for state, n in counts.items() if state is not DocumentState.SUPERSEDED}
        return {
            "state": self._nights.state.value,
            "base": self._base_name,
            "adapter": current.sha256[:12] if current else None,
            "documents": sum(live.values()),
            "pending_documents": live[DocumentState.NEW],
            "engine": self._engine.state.value,
            "resident_bytes": own_bytes() + self._engine.resident_bytes(),
            "service_bytes": own_bytes(),
            "engine_bytes": self._engine.resident_bytes(),
            "network_denied": self._engine.base.network_denied if self._engine.base else None,
            "last_night": night_record.shown(last[0]) if last else None,
        }

    async def why(self) -> Json:
        """The conditions that there are: whether a night that is asked for now could work."""
        preview = await self.preview()
        problem = await asyncio.to_thread(self._base_problem)
        conditions = [
            _condition("vault", True, "open", "open", None),
            _condition("base", problem is None, self._base_name, "readable", problem),
            _condition(
                "new text",
                preview["enough"],
                f"about {preview['about_tokens']} tokens",
                f"{preview['minimum_tokens']} tokens",
                preview["sentence"],
            ),
        ]
        return {"would_work": all(c["holds"] for c in conditions), "conditions": conditions}

    def _base_problem(self) -> str | None:
        try:
            return self._bases.find(self._base_name).problem
        except UnknownBase as error:
            return str(error)

    async def bases(self) -> list[Json]:
        found = await asyncio.to_thread(self._bases.all)
        return [base_listing.shown(b, in_use=b.name == self._base_name) for b in found]

    async def shut_down(self) -> Json:
        self._shut_down()
        return {"stopping": True}

    # ------------------------------------------------------------------- sources

    async def sources(self) -> list[Json]:
        with _said():
            settings = await self._vault.call(lambda vault: vault.sources.list())
            counts = await self._vault.call(lambda vault: vault.documents.counts_by_source())
        return [self._source(each, counts.get(each.name, 0)) for each in settings]

    async def add_source(
        self, *, name: str | None, kind: str, path: str, include: list[str], exclude: list[str]
    ) -> Json:
        known: Json = {"include": tuple(include)} if include else {}
        settings = SourceSettings(
            name=name or Path(path).name, kind=kind, path=path, exclude=tuple(exclude), **known
        )
        with _said():
            placed = await self._collector.place(settings)
            await self._vault.call(lambda vault: vault.sources.add(placed))
            self._collector.add(placed)
        return self._source(placed, 0)

    async def remove_source(self, name: str) -> Json:
        """Nothing more is collected from it; what was collected stays."""
        with _said():
            kept = (await self._vault.call(lambda v: v.documents.counts_by_source())).get(name, 0)
            await self._vault.call(lambda vault: vault.sources.remove(name))
            await self._collector.remove(name)
        return {"name": name, "kept_documents": kept}

    async def rescan(self) -> Json:
        with _said():
            return asdict(await self._collector.rescan())

    async def preview(self) -> Json:
        """What tonight would train on, by source and by document; never the text itself."""
        with _said():
            documents = await self._vault.call(_new_documents)
            counts = await self._vault.call(lambda vault: vault.documents.counts_by_source())
        tokens = about_tokens(sum(d["characters"] for d in documents))
        missing = max(0, self._plan.minimum_tokens - tokens)
        missing_documents = max(0, self._plan.minimum_documents - len(documents))
        by_source = {
            name: [d for d in documents if d["source"] == name]
            for name in {*counts, *(d["source"] for d in documents)}
        }
        return {
            "sources": [
                {
                    "name": name,
                    "documents": counts.get(name, 0),
                    "new_documents": len(new),
                    "characters": sum(d["characters"] for d in new),
                }
                for name, new in sorted(by_source.items())
            ],
            "total_new_documents": len(documents),
            "about_tokens": tokens,
            "minimum_tokens": self._plan.minimum_tokens,
            "minimum_documents": self._plan.minimum_documents,
            "enough": not missing and not missing_documents,
            "missing_tokens": missing,
            "missing_documents": missing_documents,
            "sentence": _missing_sentence(missing, missing_documents),
            "documents": documents,
        }

    def _source(self, settings: SourceSettings, documents: int) -> Json:
        report = self._collector.report(settings.name)
        return {
            "name": settings.name,
            "kind": settings.kind,
            "path": settings.path,
            "include": list(settings.include),
            "exclude": list(settings.exclude),
            "state": report.state.value,
            "documents": documents,
            "last_scan_at": report.last_scan_at,
            "skipped": {str(reason): count for reason, count in report.skipped.items()},
            "last_error": report.last_error,
        }

    # ------------------------------------------------------------------- nights

    async def run_night(self) -> AsyncGenerator[Json, None]:
        """Progress of the night that runs, or of a new one; closing this leaves it running."""
        async with contextlib.aclosing(self._nights.watch()) as watch:
            async for line in watch:
                yield line

    async def stop_night(self) -> Json:
        """Save a checkpoint and end; the next night goes on from there."""
        return {"stopped": await self._nights.stop()}

    async def nights(self, count: int | None) -> list[Json]:
        with _said():
            records = await self._vault.call(lambda vault: vault.ledger.nights(count))
        running = self._nights.state is not NightState.WAITING
        return [_night(record, running=running and i == 0) for i, record in enumerate(records)]

    # ------------------------------------------------------------------- adapters

    async def adapters(self) -> list[Json]:
        with _said():
            shelf = await self._vault.call(lambda vault: vault.shelf.list())
        return [_adapter(each) for each in shelf]

    async def use_adapter(self, adapter: str) -> Json:
        digest = adapter.removeprefix("personal@")
        with _said():
            return _adapter(await self._vault.call(lambda vault: vault.shelf.use(digest)))

    async def rollback(self) -> Json:
        with _said():
            now = await self._vault.call(lambda vault: vault.shelf.rollback())
        return _adapter(now) if now else {"sha256": None, "status": "base"}


def _new_documents(vault: Vault) -> list[Json]:
    return [
        {
            "document": document.document_id,
            "source": document.source,
            "path": document.path,
            "state": document.state.value,
            "characters": len(document.text),
        }
        for document in vault.documents.read_many({DocumentState.NEW})
        if isinstance(document, StoredDocument)
    ]


def _missing_sentence(tokens: int, documents: int) -> str | None:
    parts = []
    if tokens:
        parts.append(f"about {tokens:,} more tokens of new text")
    if documents:
        parts.append(f"{documents} more new documents")
    return f"A night needs {' and '.join(parts)}." if parts else None


def _adapter(adapter: PublishedAdapter) -> Json:
    return {
        "sha256": adapter.sha256,
        "parent": adapter.parent,
        "base": adapter.base,
        "trained_at": adapter.trained_at,
        "status": adapter.status.value,
        "documents": len(adapter.seen_items),
    }


def _night(record: Json, *, running: bool) -> Json:
    """A line of the log; a night that was cut off says how it goes on."""
    shown = night_record.shown(record)
    if not running and NightState(shown["state"]) in night_record.UNFINISHED:
        shown["sentence"] = (
            "It was interrupted; `nightloom night run --now` goes on from its last checkpoint."
        )
    return shown


def _condition(name: str, holds: bool, value: str, threshold: str, reason: str | None) -> Json:
    return {
        "name": name,
        "holds": holds,
        "value": value,
        "threshold": threshold,
        "since": None,
        "reason": reason,
    }


@contextlib.contextmanager
def _said() -> Iterator[None]:
    """Our errors in the words and codes of the command line."""
    try:
        yield
    except (SourceIsVault, SourceInsideSource) as error:
        raise OperationError("refused", str(error)) from error
    except (SourceError, SourceExists, NotKept) as error:
        raise OperationError("usage", str(error)) from error
    except (StorageError, DaemonError) as error:
        raise OperationError("failed", str(error)) from error
