"""The user's limits on an open vault: exclusions, retention, a pause. Only puts them together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from daemon.collecting.collector import Collector
from daemon.exclusions import Exclusions
from daemon.night_runner import NightRunner
from daemon.pausing import Pausing
from daemon.retention import Retention
from daemon.vault_door import Door


class Limits:
    """Lives as long as the service; `in_force` while the vault is open.

    Args:
        vault_bytes, adapters_bytes: the most that these may take; None is no bound.
    """

    def __init__(
        self,
        door: Door,
        collector: Collector,
        nights: NightRunner,
        *,
        vault_bytes: int | None = None,
        adapters_bytes: int | None = None,
    ) -> None:
        self.vault_bytes = vault_bytes
        self.adapters_bytes = adapters_bytes
        self.exclusions = Exclusions(door, collector)
        self.pausing = Pausing(door, collector, nights)
        self.retention = Retention(door, nights)

    @contextlib.asynccontextmanager
    async def in_force(self) -> AsyncIterator[None]:
        """Enter before the collector has sources."""
        await self.exclusions.enter()
        await self.pausing.enter()
        try:
            yield
        finally:
            await asyncio.gather(self.pausing.leave(), self.retention.leave())
