"""The parts of the service, each given what it works with. Wires, and does nothing else."""

import contextlib
import functools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from daemon.audit_log import AuditLog
from daemon.bases import Bases
from daemon.chosen_base import ChosenBase
from daemon.collecting.collector import Collector
from daemon.collecting.vault_store import VaultStore
from daemon.config import Config
from daemon.conversations import Conversations
from daemon.curation import Curation
from daemon.engine_handle import EngineHandle
from daemon.fair_queue import FairQueue, QueuePolicy
from daemon.home import Home
from daemon.installing.proving import Proof
from daemon.keyring_watch import watch_keyrings
from daemon.limits import Limits
from daemon.night_assembly import watching
from daemon.night_memory import NightMemory
from daemon.night_planning import PlanPolicy
from daemon.night_runner import NightRunner
from daemon.night_shift import NightShift
from daemon.night_watch import NightWatch
from daemon.operations import LOCKED, Operations
from daemon.serving import Serving
from daemon.session_bus import socket_of
from daemon.tonight import NightOptions
from daemon.unlocked import Parts, unlocked
from daemon.vault_door import VaultDoor
from daemon.vault_lock import VaultLock
from storage.locked_memory import LockedMemory
from trainer.gate import GatePolicy

GENERAL_BUDGET_SHARE = 0.8  # of what the gate allows, so that its own samples agree


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """What the service starts, asks and stops."""

    lock: VaultLock
    nights: NightRunner
    watch: NightWatch
    account: AuditLog
    conversations: Conversations
    operations: Operations
    serving: Serving
    vault: VaultDoor
    engine: EngineHandle

    def described(self) -> str:
        """One line for the manager that started the service, in fixed words."""
        state = self.nights.state.value if self.vault.is_open else LOCKED
        return f"{state}; engine {self.engine.state.value}"


def assemble(
    home: Home,
    config: Config,
    *,
    memory: LockedMemory,
    proofs: tuple[Proof, ...],
    shut_down: Callable[[], None],
    cleanup: contextlib.AsyncExitStack,
) -> Assembly:
    """Within the running loop. What has to be closed is left to `cleanup`, the vault last."""
    door = VaultDoor()
    cleanup.push_async_callback(door.close)
    bases = Bases(home.bases)
    base = ChosenBase(bases, config.engine.base)
    engine = _engine(config, door, base)
    cleanup.push_async_callback(engine.stop)
    plan = PlanPolicy(minimum_tokens=config.night.minimum_tokens)
    curation = Curation()
    nights = NightRunner(
        _night_shift(config, door, engine, base, plan, curation),
        grace_seconds=config.night.grace_seconds,
    )
    conversations = Conversations(door)
    collector = _collector(home, config, door, conversations, nights)
    cleanup.push_async_callback(collector.close)
    account = AuditLog(door.inner)
    cleanup.callback(account.stop)
    limits = Limits(
        door,
        collector,
        nights,
        vault_bytes=config.collect.vault_bytes,
        adapters_bytes=config.night.adapters_bytes,
    )
    watch = watching(
        home,
        config,
        door=door,
        engine=engine,
        base=base,
        nights=nights,
        recipe=_recipe(config),
        paused=lambda: limits.pausing.now,
    )
    limits.pausing.on_change(watch.watch.wake)
    cleanup.push_async_callback(watch.gathering.close)
    watch.gathering.start()
    parts = Parts(
        config=config,
        door=door,
        engine=engine,
        nights=nights,
        collector=collector,
        limits=limits,
        account=account,
        curation=curation,
        watch=watch.watch,
    )
    lock = _lock(home, door, parts)
    cleanup.push_async_callback(lock.close)
    operations = Operations(
        vault=door,
        lock=lock,
        memory=memory,
        proofs=proofs,
        engine=engine,
        collector=collector,
        nights=nights,
        bases=bases,
        base=base,
        plan=plan,
        limits=limits,
        account=account,
        curation=curation,
        conversations=conversations.kept,
        home=home,
        shut_down=shut_down,
        watching=watch,
    )
    cleanup.push_async_callback(operations.forgetting.close)
    places = QueuePolicy(at_once=config.serving.at_once, waiting=config.serving.waiting)
    serving = Serving(
        vault=door,
        engine=engine,
        base=base,
        started_at=int(time.time()),
        queue=FairQueue(places),
    )
    return Assembly(
        lock=lock,
        nights=nights,
        watch=watch.watch,
        account=account,
        conversations=conversations,
        operations=operations,
        serving=serving,
        vault=door,
        engine=engine,
    )


def _engine(config: Config, door: VaultDoor, base: ChosenBase) -> EngineHandle:
    return EngineHandle(
        base_folder=base.folder,
        weights=lambda digest: door.call(lambda vault: vault.shelf.weights(digest)),
        threads=config.engine.threads,
        memory_bytes=config.engine.memory_bytes,
        idle_seconds=config.engine.idle_minutes * 60,
    )


def _night_shift(
    config: Config,
    door: VaultDoor,
    engine: EngineHandle,
    base: ChosenBase,
    plan: PlanPolicy,
    curation: Curation,
) -> NightShift:
    return NightShift(
        vault=door.inner,
        engine=engine,
        base=base.facts,
        memory=NightMemory(base.folder, configured_bytes=config.engine.memory_bytes),
        options=_night_options(config, plan),
        facts=functools.partial(curation.facts_of, door.inner),
    )


def _recipe(config: Config) -> dict[str, Any]:
    """What a night trains by."""
    tolerance = config.gate.general_loss_tolerance
    return {**config.night.recipe(), "general_budget": GENERAL_BUDGET_SHARE * tolerance}


def _night_options(config: Config, plan: PlanPolicy) -> NightOptions:
    tolerance = config.gate.general_loss_tolerance
    return NightOptions(
        recipe=_recipe(config),
        plan=plan,
        gate=GatePolicy(general_loss_tolerance=tolerance),
        max_seconds=config.night.minutes * 60,
        checkpoint_seconds=config.night.checkpoint_minutes * 60,
        adapters_bytes=config.night.adapters_bytes,
    )


def _collector(
    home: Home,
    config: Config,
    door: VaultDoor,
    conversations: Conversations,
    nights: NightRunner,
) -> Collector:
    return Collector(
        store=VaultStore(door, most_bytes=config.collect.vault_bytes),
        settings=config.collect,
        own_folders=home.own_folders,
        listen=conversations.listen,
        may_remove=lambda: not nights.runs,  # a night may judge by them
    )


def _lock(home: Home, door: VaultDoor, parts: Parts) -> VaultLock:
    bus = socket_of(os.environ)
    return VaultLock(
        door,
        home.vault,
        alive=lambda by: unlocked(parts, by=by),
        watch=lambda changed: watch_keyrings(changed, bus),
    )
