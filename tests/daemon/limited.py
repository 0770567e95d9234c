"""A vault, a folder, a collector and the limits on them, with clocks and a night by hand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from daemon.collecting.collector import Collector
from daemon.collecting.vault_store import VaultStore
from daemon.config import CollectSettings
from daemon.exclusions import Exclusions
from daemon.night_record import NightState
from daemon.night_runner import NightRunner
from daemon.night_shift import NightShift
from daemon.pausing import Pausing
from daemon.retention import Retention
from daemon.running_night import Progress
from daemon.vault_door import VaultDoor
from storage.keys import Passphrase
from storage.records import SourceSettings
from storage.vault import Vault
from tests.daemon.collecting.parts import HandClock, NoWatcher
from tests.storage.making import FAST, PASSPHRASE

Json = dict[str, Any]
DAY = 86_400.0


class LongNight:
    """A night that goes on until it is stopped."""

    def __init__(self) -> None:
        self.state = NightState.WAITING
        self.stopped = asyncio.Event()

    async def run(self, progress: Progress) -> Json:
        progress({"state": "training"})
        await self.stopped.wait()
        return {"id": 1, "state": "yielding", "plan": None}

    async def stop(self) -> None:
        self.stopped.set()


@dataclass
class Limited:
    """What a test needs of it."""

    folder: Path  # of the source `notes`
    door: VaultDoor
    clock: HandClock
    steady: list[float]
    night: LongNight
    nights: NightRunner
    collector: Collector
    exclusions: Exclusions
    pausing: Pausing
    retention: Retention

    async def begin_night(self) -> None:
        watching = self.nights.watch()
        await anext(watching)
        await watching.aclose()
        assert self.nights.runs

    async def paths(self) -> list[str]:
        """Of all documents that the vault holds, every version."""

        def act(vault: Vault) -> list[str]:
            ids = [head.document_id for head in vault.documents.heads()]
            return sorted(vault.documents.read(number).path for number in ids)

        return await self.door.call(act)

    async def events(self) -> list[tuple[str, Json]]:
        """Kinds and facts, but of collecting itself."""
        events = await self.door.call(lambda vault: vault.ledger.events())
        told = [(event["kind"], event["facts"]) for event in events]
        return [one for one in told if one[0] != "collected"]

    async def change(self, **facts: Any) -> SourceSettings:
        changed = await self.door.call(lambda vault: vault.sources.change("notes", **facts))
        self.collector.change(changed)
        return changed


@contextlib.asynccontextmanager
async def limited(root: Path, *, add: bool = True) -> AsyncIterator[Limited]:
    """In `root`, where a second time goes on with the vault of the first."""
    folder, place = root / "notes", root / "vault"
    folder.mkdir(exist_ok=True)
    if place.exists():
        vault = Vault.open(place, Passphrase(text=PASSPHRASE))
    else:
        vault, _ = Vault.create(place, passphrase=PASSPHRASE, argon2=FAST)
        vault.sources.add(SourceSettings(name="notes", kind="folder", path=str(folder)))
    door, clock, night = VaultDoor(vault), HandClock(), LongNight()
    nights = NightRunner(cast("NightShift", night))
    collector = Collector(
        store=VaultStore(door), settings=CollectSettings(), clock=clock, watcher=NoWatcher()
    )
    steady = [0.0]
    house = Limited(
        folder=folder,
        door=door,
        clock=clock,
        steady=steady,
        night=night,
        nights=nights,
        collector=collector,
        exclusions=Exclusions(door, collector),
        pausing=Pausing(door, collector, nights, clock=clock.now),
        retention=Retention(door, nights, clock=clock.now, steady=lambda: steady[0]),
    )
    try:
        await house.exclusions.enter()
        await house.pausing.enter()
        if add:
            for settings in await door.call(lambda vault: vault.sources.list()):
                collector.add(settings)
        yield house
    finally:
        await house.pausing.leave()
        await house.retention.leave()
        await nights.stop()
        await collector.close()
        await door.close()
