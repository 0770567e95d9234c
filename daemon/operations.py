"""What the command line asks for, done: the backend of `admin.sock`.

Thin: it fetches from the vault, the collector, the engine and the night shift, and puts the
answers into the stable keys of `--json`. Errors of ours become `OperationError`s with the code
that the command line turns into an exit code.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon import bases as base_listing
from daemon import night_record
from daemon.adapter_facts import listed
from daemon.adapter_naming import adapter_named
from daemon.audit_log import AuditLog
from daemon.backup_operations import BackupOperations
from daemon.bases import Bases
from daemon.chosen_base import ChosenBase, answering
from daemon.collecting.collector import Collector
from daemon.collecting.kinds import INCLUDES
from daemon.collecting.putting import add_and_tell, remove_and_tell
from daemon.collecting_operations import CollectingOperations, scan_facts, watched_facts
from daemon.curation import Curation
from daemon.disk_room import read_room
from daemon.engine_handle import EngineHandle
from daemon.errors import (
    AdapterOfAnotherBase,
    VaultIsLocked,
)
from daemon.forgetting_operations import ForgettingOperations, Kept
from daemon.home import Home
from daemon.host_checks import host_warnings
from daemon.installing.proving import Proof, not_in_force
from daemon.keys_operations import KeysOperations
from daemon.limits import Limits
from daemon.limits_operations import LimitsOperations
from daemon.memory_reading import own_bytes
from daemon.night_assembly import Watching
from daemon.night_operations import NightOperations
from daemon.night_passages import NightPassages
from daemon.night_planning import PlanPolicy
from daemon.night_runner import NightRunner
from daemon.operation_errors import said
from daemon.previewing import tonight, totals, with_facts, with_plan
from daemon.seeing_operations import SeeingOperations
from daemon.shelf_operations import ShelfOperations
from daemon.vault_door import VaultDoor
from daemon.vault_lock import VaultLock
from storage.errors import AdapterDamaged, NothingToRollBack
from storage.locked_memory import LockedMemory
from storage.records import DocumentState, SourceSettings, StoredDocument
from storage.vault import Vault

Json = dict[str, Any]

LOCKED = "locked"  # the state of a service whose vault is
HELD = ("adapter", "adapter_of_another_base", "documents", "pending_documents", "last_night")


class Operations:
    """Implements `ipc.administration.AdminBackend`."""

    def __init__(
        self,
        *,
        vault: VaultDoor,
        lock: VaultLock,
        memory: LockedMemory,
        proofs: tuple[Proof, ...],
        engine: EngineHandle,
        collector: Collector,
        nights: NightRunner,
        bases: Bases,
        base: ChosenBase,
        plan: PlanPolicy,
        limits: Limits,
        account: AuditLog,
        curation: Curation,
        conversations: Callable[[Sequence[str]], Awaitable[Kept]],
        home: Home,
        shut_down: Callable[[], None],
        watching: Watching,
    ) -> None:
        self._vault = vault
        self._lock = lock
        self._engine = engine
        self._proofs = proofs  # of what the unit forbids, tried at the start
        self._collector = collector
        self._nights = nights
        self._bases = bases
        self._base = base
        self._plan = plan
        self._curation = curation
        self._home = home
        self._shut_down = shut_down
        self.keys = KeysOperations(lock=lock, vault=vault, process=memory)
        self.forgetting = ForgettingOperations(
            vault=vault,
            engine=engine,
            nights=nights,
            collector=collector,
            forgot=curation.forget,
            conversations=conversations,
        )
        self.seeing = SeeingOperations(
            vault=vault, account=account, confirm=lock.confirm, home=home
        )
        self.limits = LimitsOperations(vault=vault, collector=collector, limits=limits)
        self.collecting = CollectingOperations(vault, collector, self._source)
        self.backup = BackupOperations(vault)
        self.shelf = ShelfOperations(
            vault=vault, engine=engine, confirm=lock.confirm, bases=bases, base=base
        )
        self._passages = NightPassages(vault, engine, base)
        self._night = NightOperations(
            vault=vault,
            nights=nights,
            limits=limits,
            watch=watching.watch,
            orders=watching.orders,
        )

    # ------------------------------------------------------------------- state

    async def status(self) -> Json:
        with said():
            try:
                held = await self._held()
            except VaultIsLocked:
                held = dict.fromkeys(HELD)
        room = await asyncio.to_thread(read_room, self._home.vault)
        return {
            "state": self._nights.state.value if self._vault.is_open else LOCKED,
            "waits_for": self._night.waits_for(),
            **held,
            **await self.limits.facts(),
            "collecting": self.collecting.running(),
            "locked": None if self._vault.is_open else self.keys.why_locked(),
            "keys_out_of_swap": await self.keys.out_of_swap(),
            "base": self._base.name,
            "engine": self._engine.state.value,
            "resident_bytes": own_bytes() + self._engine.resident_bytes(),
            "service_bytes": own_bytes(),
            "engine_bytes": self._engine.resident_bytes(),
            "network_denied": self._engine.base.network_denied if self._engine.base else None,
            "confinement": [proof.to_json() for proof in self._proofs],
            **room.shown(),
            "warnings": [
                *room.warnings(),
                *not_in_force(self._proofs),
                *await asyncio.to_thread(host_warnings, self._home),
            ],
        }

    async def _held(self) -> Json:
        """What `status` has to open the vault for; its names are `HELD`."""
        counts = await self._vault.call(lambda vault: vault.documents.counts())
        current = await self._vault.call(lambda vault: vault.shelf.current())
        base = await asyncio.to_thread(self._base.identity)
        last = await self._vault.call(lambda vault: vault.ledger.nights(1))
        answers = answering(current, base)
        live = {state: n for state, n in counts.items() if state is not DocumentState.SUPERSEDED}
        return {
            "adapter": answers.sha256[:12] if answers else None,
            "adapter_of_another_base": current.sha256[:12] if current and not answers else None,
            "documents": sum(live.values()),
            "pending_documents": live[DocumentState.NEW],
            "last_night": night_record.shown(last[0]) if last else None,
        }

    async def why(self) -> Json:
        """Every condition, whether it holds, and what would have to change first."""
        return await self._night.why()

    async def bases(self) -> list[Json]:
        found = await asyncio.to_thread(self._bases.all)
        return [base_listing.shown(b, in_use=b.name == self._base.name) for b in found]

    async def shut_down(self) -> Json:
        self._shut_down()
        return {"stopping": True}

    # ------------------------------------------------------------------- sources

    async def sources(self) -> list[Json]:
        with said():
            settings = await self._vault.call(lambda vault: vault.sources.list())
            counts = await self._vault.call(lambda vault: vault.documents.counts_by_source())
        return [self._source(each, counts.get(each.name, 0)) for each in settings]

    async def add_source(
        self,
        *,
        name: str | None,
        kind: str,
        path: str,
        include: list[str],
        exclude: list[str],
        me: list[str],
        own: bool,
        keep_deleted: bool,
    ) -> Json:
        globs = tuple(include) or INCLUDES.get(kind)
        known: Json = {"include": globs} if globs else {}
        settings = SourceSettings(
            name=name or Path(path).name or kind,
            kind=kind,
            path=path,
            exclude=tuple(exclude),
            me=tuple(me),
            own=own,
            keep_deleted=keep_deleted,
            **known,
        )
        with said():
            placed = await self._collector.place(settings)
            await self._vault.call(lambda vault: add_and_tell(vault, placed))
            self._collector.add(placed)
        return self._source(placed, 0)

    async def remove_source(self, name: str) -> Json:
        """Nothing more is collected from it; what was collected stays."""
        with said():
            kept = (await self._vault.call(lambda v: v.documents.counts_by_source())).get(name, 0)
            await self._vault.call(lambda vault: remove_and_tell(vault, name))
            await self._collector.remove(name)
        return {"name": name, "kept_documents": kept}

    async def rescan(self) -> Json:
        with said():
            self._vault.check()
            try:
                return asdict(await self._collector.rescan())
            except asyncio.CancelledError:
                self._vault.check()  # it was locked meanwhile, which ends scans
                raise

    async def preview(self) -> Json:
        """What tonight would train on, by source and by document; never the text itself."""
        with said():
            facts = await self._curation.facts_of(self._vault)
            foreseen = await self._nights.foresee()
            documents = with_facts(await self._vault.call(_new_documents), facts)
            counts = await self._vault.call(lambda vault: vault.documents.counts_by_source())
        documents = with_plan(documents, foreseen)
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
            **totals(documents),
            **tonight(documents, foreseen, self._plan),
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
            "retention_days": settings.retention_days,
            "own": settings.own,
            "me": list(settings.me),
            "keep_deleted": settings.keep_deleted,
            "state": report.state.value,
            "documents": documents,
            "last_scan_at": report.last_scan_at,
            "skipped": {str(reason): count for reason, count in report.skipped.items()},
            "last_error": report.last_error,
            **watched_facts(report),
            "scan": None if report.scan is None else scan_facts(report.scan, time.time()),
        }

    # ------------------------------------------------------------------- nights

    def run_night(self, *, on_battery: bool = False) -> AsyncGenerator[Json, None]:
        """Progress of the night that runs, or of a new one; closing this leaves it running."""
        return self._night.run(on_battery=on_battery)

    async def stop_night(self) -> Json:
        """Save a checkpoint and end; the next night goes on from there."""
        return await self._night.stop()

    async def pause_nights(self, seconds: float | None) -> Json:
        return await self._night.pause(seconds)

    async def resume_nights(self) -> Json:
        return await self._night.resume()

    async def nights(self, count: int | None) -> list[Json]:
        return await self._night.log(count)

    def night_passages(self, night: int | None) -> AsyncGenerator[Json, None]:
        return self._passages.of(night)

    # ------------------------------------------------------------------- adapters

    async def adapters(self) -> list[Json]:
        with said():
            shelf = await self._vault.call(lambda vault: vault.shelf.list())
            base = await asyncio.to_thread(self._base.identity)
        return [listed(each, base) for each in shelf]

    async def use_adapter(self, adapter: str) -> Json:
        """Put an adapter in use, which has to be one of the base that is in use."""
        with said():
            base = (await asyncio.to_thread(self._base.facts)).identity
            wanted = await self._vault.call(lambda vault: adapter_named(vault, adapter))
            if wanted.base != base:
                raise AdapterOfAnotherBase(wanted.sha256[:12])
            return listed(await self._vault.call(lambda v: v.shelf.use(wanted.sha256)), base)

    async def rollback(self) -> Json:
        with said():
            base = (await asyncio.to_thread(self._base.facts)).identity
            with contextlib.suppress(AdapterDamaged):  # going back is the way out of that
                current = await self._vault.call(lambda vault: vault.shelf.current())
                if not answering(current, base):
                    raise NothingToRollBack
            now = await self._vault.call(lambda vault: vault.shelf.rollback())
        return listed(now, base) if now else {"sha256": None, "status": "base"}


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
