"""Trees of invented files to collect, and a vault with a collector beside them."""

import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon.collecting.collector import Collector
from daemon.collecting.vault_store import VaultStore
from daemon.config import CollectSettings
from daemon.vault_door import VaultDoor
from storage.bench.texts import documents
from storage.keys import Argon2Parameters
from storage.records import SourceSettings
from storage.vault import Vault

SMALL_BYTES, LARGE_BYTES = 2048, 8192  # of a file
FILES_A_FOLDER = 200
SOURCE = "bench"
_QUICK = Argon2Parameters(time_cost=1, memory_kib=64, lanes=1)  # nobody is kept out here
# As the service has it, but for the times that it waits: what is measured is work.
_SETTINGS = CollectSettings(settle_seconds=0.0, debounce_seconds=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A vault of its own, and what collects into it."""

    vault: VaultDoor
    collector: Collector

    async def documents(self) -> int:
        return sum((await self.vault.call(lambda vault: vault.documents.counts())).values())


def write_tree(folder: Path, count: int, *, seed: int, size: int = SMALL_BYTES) -> int:
    """`count` notes in folders; how many bytes."""
    written = 0
    for number, document in enumerate(documents(count, size, seed=seed)):
        place = folder / f"{number // FILES_A_FOLDER:04}"
        if number % FILES_A_FOLDER == 0:
            place.mkdir(parents=True)
        data = document.text.encode()
        (place / f"{number:06}.md").write_bytes(data)
        written += len(data)
    return written


@contextmanager
def place_for(folder: Path, name: str) -> Iterator[Path]:
    """A folder that is gone afterwards."""
    place = folder / name
    place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place)


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    vault, _ = Vault.create(folder / "vault", passphrase="-", argon2=_QUICK)  # noqa: S106
    door = VaultDoor(vault)
    collector = Collector(store=VaultStore(door), settings=_SETTINGS)
    try:
        yield House(vault=door, collector=collector)
    finally:
        await collector.close()
        with contextlib.suppress(Exception):
            await door.close()


def source(tree: Path) -> SourceSettings:
    return SourceSettings(name=SOURCE, kind="folder", path=str(tree))
