"""Text that grew too old for its source leaves the vault: at unlock, daily, and when it is asked.

The age is that of the file, as it was when it was read. Nothing is removed while a night runs,
which may judge by it, nor while the clock is not believed. Adapters keep what they learned.
"""

import asyncio
import contextlib
import dataclasses
import datetime
import functools
import logging
import time
from collections.abc import Callable, Iterator, Sequence

from daemon.clock_trust import DAY_SECONDS, ClockSeen, look_at_clock, steady_clock
from daemon.errors import VaultIsLocked
from daemon.night_runner import NightRunner
from daemon.vault_door import Door
from storage.errors import RowDamaged, UnknownDocument
from storage.records import SourceSettings
from storage.vault import Vault

log = logging.getLogger("nightloom.retention")

KEPT_AS = "clock"
READ_DOCUMENTS = 200  # opened in one go, so that others get their turn at the vault
REMOVE_DOCUMENTS = 1_000  # in one transaction
AFTER_THE_NIGHT = "Old text is removed when the night that runs has ended."


class Retention:
    """Removes what is too old.

    Args:
        clock: seconds since the epoch.
        steady: seconds by a clock that nobody sets.
    """

    def __init__(
        self,
        door: Door,
        nights: NightRunner,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady_clock,
    ) -> None:
        self._door = door
        self._nights = nights
        self._clock = clock
        self._steady = steady
        self._looked_at: float | None = None  # by the steady clock
        self._later: asyncio.Task[int] | None = None
        self._turn = asyncio.Lock()
        self.waits: str | None = None  # why old text is still there

    async def apply(self) -> int:
        """Remove what is too old now, when no night runs; how many documents."""
        async with self._turn:
            sources = await self._door.call(_with_retention)
            if not sources or not await self._clock_is_believed():
                return 0
            return sum([await self._apply_to(source) for source in sources])

    async def apply_or_wait(self) -> int:
        """As `apply`, but a night that runs is not waited for: that goes on by itself."""
        if not self._nights.runs:
            return await self.apply()
        self.waits = AFTER_THE_NIGHT
        if self._later is None or self._later.done():
            self._later = asyncio.create_task(self._apply_later(), name="retention")
        return 0

    async def _apply_later(self) -> int:
        try:
            return await self.apply()
        except VaultIsLocked:
            return 0  # the next unlock does it
        except Exception as error:
            # the type only: messages may quote what was read
            log.error("retention failed: %s", type(error).__name__)
            return 0

    async def count(self, days: int, name: str | None) -> int:
        """How many documents are older than so many days, of one source or of all."""
        kept = await self._door.call(lambda vault: vault.sources.list())
        chosen = [source for source in kept if name in (None, source.name)]
        return sum([len(await self._older(source.name, days)) for source in chosen])

    async def leave(self) -> None:
        """Before the vault is locked."""
        if self._later is not None:
            self._later.cancel()
            await asyncio.wait({self._later})
        self._looked_at = None

    # ------------------------------------------------------------------- inside

    async def _clock_is_believed(self) -> bool:
        now, steady = self._clock(), self._steady()
        since = 0.0 if self._looked_at is None else steady - self._looked_at
        seen = await self._door.call(functools.partial(_clock_seen, now=now))
        look = look_at_clock(seen, now, steady_seconds=since)
        self._looked_at, self.waits = steady, look.waits
        kept = dataclasses.asdict(look.seen)
        await self._door.call(lambda vault: vault.settings.put(KEPT_AS, kept))
        return look.waits is None

    async def _apply_to(self, source: SourceSettings) -> int:
        assert source.retention_days is not None
        removed = 0
        old = await self._older(source.name, source.retention_days)
        for ids in _pieces(old, REMOVE_DOCUMENTS):
            await self._nights.idle()
            removed += await self._door.call(functools.partial(_remove, source=source, ids=ids))
        return removed

    async def _older(self, source: str, days: int) -> list[int]:
        before = self._clock() - days * DAY_SECONDS
        ids = await self._door.call(functools.partial(_documents_of, source=source))
        old: list[int] = []
        for some in _pieces(ids, READ_DOCUMENTS):
            old += await self._door.call(functools.partial(_changed_before, ids=some, time=before))
        return old


def _with_retention(vault: Vault) -> list[SourceSettings]:
    return [source for source in vault.sources.list() if source.retention_days is not None]


def _clock_seen(vault: Vault, *, now: float) -> ClockSeen:
    """From the look before; before the first one, the last day on which something was collected."""
    with contextlib.suppress(RowDamaged):
        kept = vault.settings.get(KEPT_AS)
        if kept is not None:
            return ClockSeen(**kept)
    day = max((head.collected_day for head in vault.documents.heads()), default=None)
    if day is None:
        return ClockSeen(at=now)
    end = datetime.datetime.combine(datetime.date.fromisoformat(day), datetime.time.max)
    return ClockSeen(at=min(now, end.timestamp()))


def _documents_of(vault: Vault, *, source: str) -> list[int]:
    """All versions, also those that were superseded."""
    key = vault.documents.source_key(source)
    return [head.document_id for head in vault.documents.heads() if head.source_key == key]


def _changed_before(vault: Vault, *, ids: Sequence[int], time: float) -> list[int]:
    """A damaged row has no time any more, and stays."""
    old = []
    for number in ids:
        with contextlib.suppress(RowDamaged, UnknownDocument):
            if vault.documents.read(number).modified_at < time:
                old.append(number)
    return old


def _remove(vault: Vault, *, source: SourceSettings, ids: Sequence[int]) -> int:
    with vault.transaction():
        removed = vault.letting_go.of_documents(ids)
        if removed:
            vault.ledger.append_event(
                "retention_applied",
                {"source": source.name, "days": source.retention_days, "documents": removed},
            )
    return removed


def _pieces(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (ids[at : at + size] for at in range(0, len(ids), size))
