"""The service: keys, vault, collectors, scheduler and sockets in one asyncio process, no torch.

`run_service` blocks until SIGTERM, SIGINT or `shut_down`. `assembly.py` wires the parts together;
each part's own module says what it does.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable

from daemon.assembly import assemble
from daemon.config import Config
from daemon.confinement import protect_memory
from daemon.home import Home
from daemon.installing.directives import take_asked
from daemon.installing.proving import Proof, prove
from daemon.sd_notify import Notifier
from daemon.session_bus import name_session_bus
from daemon.unattended_opening import InVain, OpenedVault, open_unattended
from daemon.vault_lock import slot_of
from daemon.watchdog import watched
from ipc.server import Servers
from ipc.sockets import ServiceSockets
from storage.keys import Secret
from storage.locked_memory import LockedMemory, lock_process
from storage.unattended import keepers
from storage.vault import Vault

log = logging.getLogger("nightloom.service")


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
    manager = Notifier.take(os.environ, pid=os.getpid())
    proofs = prove(take_asked(os.environ))  # before the limits that it sets itself
    protect_memory()
    memory = lock_process()  # before anything secret is in it
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    for proof in proofs:
        if proof.holds is False:
            log.warning("the unit's %s is not in force: %s", proof.name, proof.value)
    home.create_folders()
    with ServiceSockets.claim(home.runtime, environ=os.environ) as sockets:
        name_session_bus(os.environ)
        first = _first_opening(home, secret, ask)
        return asyncio.run(_serve(home, config, first, sockets, memory, manager, proofs))


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
    manager: Notifier,
    proofs: tuple[Proof, ...],
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as cleanup:
        parts = assemble(
            home, config, memory=memory, proofs=proofs, shut_down=stop.set, cleanup=cleanup
        )
        await parts.lock.start(first)
        servers = Servers(account=parts.account.asked, keeper=parts.conversations)
        cleanup.push_async_callback(servers.stop)
        await servers.start(sockets.api, sockets.admin, parts.serving, parts.operations)
        print("ready", flush=True)  # who started us waits for this line
        log.info("listening")
        manager.ready(parts.described())
        async with watched(manager, parts.engine, parts.described):
            await stop.wait()
        log.info("stopping")
        manager.stopping()
        # Together: who watches the night hears of its end, and so its answer ends as well.
        await asyncio.gather(parts.watch.stand_down(), servers.stop())
    return 0
