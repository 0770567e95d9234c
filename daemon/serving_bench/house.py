"""A home of its own with a base and adapters, and the real service in it, as a process.

The bare engine's process beside it makes the base and the adapters, and is asked for its times
while the service is idle.
"""

import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon.adding.names import BUILTIN
from daemon.cli.demo_interrupts import Interrupts
from daemon.cli.demo_service import DemoService
from daemon.cli.output import Json
from daemon.cli.process_tree import descendants
from daemon.home import Home
from daemon.serving_bench.published import publish_all
from ipc.client import AdminClient
from storage.keys import Argon2Parameters
from storage.vault import Vault
from trainer.bench.sides import Side
from trainer.builtin_base import BUILTIN_BASE

MODULE = "trainer.bench.serving_side"
BARE = "the bare engine"
RANDOM_BASE = "random"  # its name among the home's bases
ADAPTERS = 2  # to change between
STOPPED = "stopped"  # as `status` says it of the engine
LOOK_SECONDS = 0.02
QUICK = Argon2Parameters(time_cost=1, memory_kib=64, lanes=1)  # there is nothing to protect


@dataclass(frozen=True, kw_only=True)
class House:
    """What is measured, and what it is measured with."""

    home: Home
    bare: Side
    adapters: tuple[str, ...]  # digests
    admin: AdminClient

    @property
    def api(self) -> Path:
        return self.home.api_socket

    def use(self, adapter: str) -> None:
        """Have another adapter answer from now on."""
        self.admin.use_adapter(adapter)

    def end_engine(self) -> None:
        """Kill the engine; when the service has seen that, the next request starts another one."""
        for pid in descendants(os.getpid()):
            if is_engine(pid):
                os.kill(pid, signal.SIGKILL)
        while self.admin.status()["engine"] != STOPPED:
            time.sleep(LOOK_SECONDS)


@contextmanager
def house(folder: Path, geometry: str, layers: int | None) -> Iterator[House]:
    """Inside, the service runs.

    Args:
        folder: empty; becomes the home.
        geometry: "builtin", or a random base of this one of `trainer.bench.geometry`.

    Raises:
        SideDied, SideFailed, DemoServiceDied, DemoServiceSlow
    """
    home = Home.under(folder)
    home.create_folders()
    at = BUILTIN_BASE if geometry == BUILTIN else home.bases / RANDOM_BASE
    made = _make(home, at, geometry, layers)
    passphrase = secrets.token_urlsafe(16)
    with Vault.create(home.vault, passphrase=passphrase, argon2=QUICK)[0] as vault:
        adapters = publish_all(vault, made["base"], [Path(path) for path in made["paths"]])
    home.config_file.write_text(_config(geometry), encoding="utf-8")
    with ExitStack() as cleanup:
        bare = cleanup.enter_context(Side(BARE, MODULE, (str(at),), as_engine=True))
        bare.ask("load", adapter=made["paths"][-1])
        DemoService.start(folder, passphrase, cleanup, Interrupts())
        yield House(
            home=home,
            bare=bare,
            adapters=tuple(adapters),
            admin=AdminClient(home.admin_socket),
        )


def _make(home: Home, base: Path, geometry: str, layers: int | None) -> Json:
    """The base, if it is a random one, and adapters for it; by a process that ends with that."""
    assert home.root is not None
    with Side(BARE, MODULE, (str(base),), as_engine=True) as maker:
        if geometry != BUILTIN:
            maker.ask("write", geometry=geometry, layers=layers)
        made: Json = maker.ask("adapters", into=str(home.root), count=ADAPTERS)
    return made


def _config(geometry: str) -> str:
    name = BUILTIN if geometry == BUILTIN else RANDOM_BASE
    return f'[engine]\nbase = "{name}"\nidle_minutes = 60\n\n[night]\nautomatic = false\n'


def is_engine(pid: int) -> bool:
    """Whether this process is an engine's."""
    try:
        return b"daemon.engine" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
