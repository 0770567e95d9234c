"""The service: keys, vault, collectors, scheduler and sockets in one asyncio process, no torch.

`run_service` blocks until SIGTERM, SIGINT or `shut_down`. It wires the parts together and owns
nothing else; each part's own module says what it does.
"""

import asyncio
import contextlib
import functools
import logging
import os
import signal
import sys
import time
from collections.abc import Callable

from daemon.audit_log import AuditLog
from daemon.bases import Bases
from daemon.chosen_base import ChosenBase
from daemon.collecting.collector import Collector
from daemon.collecting.vault_store import VaultStore
from daemon.config import Config
from daemon.confinement import protect_memory
from daemon.conversations import Conversations
from daemon.curation import Curation
from daemon.engine_handle import EngineHandle
from daemon.home import Home
from daemon.keyring_watch import watch_keyrings
from daemon.limits import Limits
from daemon.night_memory import NightMemory
from daemon.night_planning import PlanPolicy
from daemon.night_runner import NightRunner
from daemon.night_shift import NightOptions, NightShift
from daemon.operations import Operations
from daemon.serving import Serving
from daemon.session_bus import name_session_bus, socket_of
from daemon.unattended_opening import InVain, OpenedVault, open_unattended
from daemon.unlocked import Parts, unlocked
from daemon.vault_door import VaultDoor
from daemon.vault_lock import VaultLock, slot_of
from ipc.server import Servers
from ipc.sockets import ServiceSockets
from storage.keys import Secret
from storage.locked_memory import LockedMemory, lock_process
from storage.unattended import keepers
from storage.vault import Vault
from trainer.gate import GatePolicy

log = logging.getLogger("nightloom.service")

GENERAL_BUDGET_SHARE = 0.8  # of what the gate allows, so that its own samples agree


def run_service(
    home: Home,
    config: Config,
    *,
    secret: Secret | None = None,
    ask: Callable[[], Secret] | None = None,
) -> int:
    """Serve until told to stop; the exit code. Prints `ready` when the sockets listen.

    Without a secret the slots are tried that open with nobody there. If none does, a person is
    asked where there is one, and else the service runs locked.

    Args:
        secret: opens the vault; the other slots are not tried.
        ask: asks the person at the terminal.

    Raises:
        StorageError: the vault does not open, for another reason than that nobody opened it.
        SocketError: the sockets cannot be had, or another service has them.
    """
    protect_memory()
    memory = lock_process()  # before anything secret is in it
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    home.create_folders()
    with ServiceSockets.claim(home.runtime, environ=os.environ) as sockets:
        name_session_bus(os.environ)
        first = _first_opening(home, secret, ask)
        return asyncio.run(_serve(home, config, first, sockets, memory))


def _first_opening(
    home: Home, secret: Secret | None, ask: Callable[[], Secret] | None
) -> OpenedVault | InVain:
    if secret is None:
        first = open_unattended(home.vault, keepers())
        if isinstance(first, OpenedVault) or ask is None or not first.has_passphrase:
            return first
        secret = ask()
    return OpenedVault(vault=Vault.open(home.vault, secret), by=slot_of(secret))


async def _serve(
    home: Home,
    config: Config,
    first: OpenedVault | InVain,
    sockets: ServiceSockets,
    memory: LockedMemory,
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as cleanup:
        door = VaultDoor()
        cleanup.push_async_callback(door.close)
        bases = Bases(home.bases)
        base = ChosenBase(bases, config.engine.base)
        engine = EngineHandle(
            base_folder=base.folder,
            weights=lambda digest: door.call(lambda v: v.shelf.weights(digest)),
            threads=config.engine.threads,
            idle_seconds=config.engine.idle_minutes * 60,
        )
        cleanup.push_async_callback(engine.stop)
        plan = PlanPolicy(minimum_tokens=config.night.minimum_tokens)
        curation = Curation()
        nights = NightRunner(
            NightShift(
                vault=door.inner,
                engine=engine,
                base=base.facts,
                memory=NightMemory(base.folder, configured_bytes=config.engine.memory_bytes),
                options=_night_options(config, plan),
                facts=functools.partial(curation.facts_of, door.inner),
            )
        )
        conversations = Conversations(door)
        collector = Collector(
            store=VaultStore(door, most_bytes=config.collect.vault_bytes),
            settings=config.collect,
            own_folders=home.own_folders,
            listen=conversations.listen,
            may_remove=lambda: not nights.runs,  # a night may judge by them
        )
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
        parts = Parts(
            config=config,
            door=door,
            engine=engine,
            nights=nights,
            collector=collector,
            limits=limits,
            account=account,
        )
        bus = socket_of(os.environ)
        lock = VaultLock(
            door,
            home.vault,
            alive=lambda by: unlocked(parts, by=by),
            watch=lambda changed: watch_keyrings(changed, bus),
        )
        cleanup.push_async_callback(lock.close)
        await lock.start(first)
        operations = Operations(
            vault=door,
            lock=lock,
            memory=memory,
            engine=engine,
            collector=collector,
            nights=nights,
            bases=bases,
            base=base,
            plan=plan,
            limits=limits,
            account=account,
            curation=curation,
            home=home,
            shut_down=stop.set,
        )
        cleanup.push_async_callback(operations.forgetting.close)
        serving = Serving(vault=door, engine=engine, base=base, started_at=int(time.time()))
        servers = Servers(account=account.asked, keeper=conversations)
        cleanup.push_async_callback(servers.stop)
        await servers.start(sockets.api, sockets.admin, serving, operations)
        print("ready", flush=True)  # who started us waits for this line
        log.info("listening")
        await stop.wait()
        log.info("stopping")
        # Together: who watches the night hears of its end, and so its answer ends as well.
        await asyncio.gather(nights.stop(), servers.stop())
    return 0


def _night_options(config: Config, plan: PlanPolicy) -> NightOptions:
    tolerance = config.gate.general_loss_tolerance
    return NightOptions(
        recipe={**config.night.recipe(), "general_budget": GENERAL_BUDGET_SHARE * tolerance},
        plan=plan,
        gate=GatePolicy(general_loss_tolerance=tolerance),
        max_seconds=config.night.minutes * 60,
        checkpoint_seconds=config.night.checkpoint_minutes * 60,
        adapters_bytes=config.night.adapters_bytes,
    )
