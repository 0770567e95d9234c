"""The service: keys, vault, collectors, scheduler and sockets in one asyncio process, no torch.

`run_service` blocks until SIGTERM, SIGINT or `shut_down`. It wires the parts together and owns
nothing else; each part's own module says what it does.
"""

import asyncio
import contextlib
import datetime
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from daemon.bases import Bases
from daemon.chosen_base import ChosenBase
from daemon.collecting.collector import Collector
from daemon.collecting.vault_store import VaultStore
from daemon.config import Config
from daemon.confinement import protect_memory
from daemon.engine_handle import EngineHandle
from daemon.home import Home
from daemon.night_memory import NightMemory
from daemon.night_planning import PlanPolicy
from daemon.night_runner import NightRunner
from daemon.night_shift import NightOptions, NightShift
from daemon.operations import Operations
from daemon.serving import Serving
from daemon.vault_door import VaultDoor
from ipc.server import Servers
from ipc.sockets import ServiceSockets
from storage.keys import Secret
from storage.vault import Vault
from trainer.gate import GatePolicy

log = logging.getLogger("nightloom.service")

GENERAL_BUDGET_SHARE = 0.8  # of what the gate allows, so that its own samples agree


def run_service(home: Home, config: Config, secret: Secret) -> int:
    """Serve until told to stop; the exit code. Prints `ready` when the sockets listen.

    Raises:
        StorageError: the vault does not open.
        SocketError: the sockets cannot be had, or another service has them.
    """
    protect_memory()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    home.create_folders()
    with ServiceSockets.claim(home.runtime, environ=os.environ) as sockets:
        vault = Vault.open(home.vault, secret)
        return asyncio.run(_serve(home, config, vault, sockets))


async def _serve(home: Home, config: Config, vault: Vault, sockets: ServiceSockets) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as cleanup:
        door = VaultDoor(vault)
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
        nights = NightRunner(
            NightShift(
                vault=door,
                engine=engine,
                base=base.facts,
                memory=NightMemory(base.folder, configured_bytes=config.engine.memory_bytes),
                options=_night_options(config, plan),
            )
        )
        cleanup.push_async_callback(nights.stop)
        collector = await cleanup.enter_async_context(_collecting(home, config, door))
        operations = Operations(
            vault=door,
            engine=engine,
            collector=collector,
            nights=nights,
            bases=bases,
            base=base,
            plan=plan,
            shut_down=stop.set,
        )
        serving = Serving(vault=door, engine=engine, base=base, started_at=int(time.time()))
        servers = Servers()
        cleanup.push_async_callback(servers.stop)
        await servers.start(sockets.api, sockets.admin, serving, operations)
        print("ready", flush=True)  # who started us waits for this line
        log.info("listening")
        await stop.wait()
        log.info("stopping")
        # Together: who watches the night hears of its end, and so its answer ends as well.
        await asyncio.gather(nights.stop(), servers.stop())
    return 0


@contextlib.asynccontextmanager
async def _collecting(home: Home, config: Config, door: VaultDoor) -> AsyncIterator[Collector]:
    """The collector at work, with an hourly rescan, for as long as the context lasts."""
    collector = Collector(
        store=VaultStore(door), settings=config.collect, own_folders=home.own_folders
    )
    scheduler = AsyncIOScheduler(timezone=datetime.UTC)  # intervals only: no local time is asked
    scheduler.add_job(
        collector.rescan,
        "interval",
        minutes=config.collect.rescan_minutes,
        coalesce=True,
        max_instances=1,
    )
    for settings in await door.call(lambda vault: vault.sources.list()):
        collector.add(settings)
    scheduler.start()
    try:
        yield collector
    finally:
        scheduler.shutdown(wait=False)
        await collector.close()


def _night_options(config: Config, plan: PlanPolicy) -> NightOptions:
    tolerance = config.gate.general_loss_tolerance
    return NightOptions(
        recipe={**config.night.recipe(), "general_budget": GENERAL_BUDGET_SHARE * tolerance},
        plan=plan,
        gate=GatePolicy(general_loss_tolerance=tolerance),
        max_seconds=config.night.minutes * 60,
        checkpoint_seconds=config.night.checkpoint_minutes * 60,
    )
