"""A pause of everything: nothing is collected, and no night works.

It is kept in the vault, so that a restart does not end it. One timer waits for its end and asks the
clock then; who asks whether there is a pause is answered by the clock as well.
"""

import asyncio
import datetime
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from daemon.collecting.collector import Collector
from daemon.errors import Paused, VaultIsLocked
from daemon.night_runner import NightRunner
from daemon.vault_door import Door
from storage.errors import RowDamaged, StorageFailing, StorageFull
from storage.vault import Vault

log = logging.getLogger("nightloom.limits")

KEPT_AS = "pause"
LONGEST_WAIT_SECONDS = 3600.0  # a timer does not count the time that the machine sleeps


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Asked for at `since`; without `seconds` it has no end."""

    since: float  # seconds since the epoch
    seconds: float | None

    @property
    def until(self) -> float | None:
        return None if self.seconds is None else self.since + self.seconds

    def left(self, now: float) -> float:
        """Seconds to go; never more than were asked for, should the clock have gone back."""
        if self.seconds is None:
            return math.inf
        return min(self.seconds, max(0.0, self.since + self.seconds - now))


class Pausing:
    """Pauses and resumes the collector and the nights.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        door: Door,
        collector: Collector,
        nights: NightRunner,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._door = door
        self._collector = collector
        self._nights = nights
        self._clock = clock
        self._pause: Pause | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self._on_change: list[Callable[[], None]] = []

    def on_change(self, told: Callable[[], None]) -> None:
        """`told()` whenever a pause begins or ends."""
        self._on_change.append(told)

    @property
    def now(self) -> Pause | None:
        """The pause that there is now."""
        pause = self._pause
        return pause if pause is not None and pause.left(self._clock()) > 0 else None

    def check(self) -> None:
        """Raises `Paused`."""
        pause = self.now
        if pause is not None:
            raise Paused(_until(pause))

    # ------------------------------------------------------------------- while the vault is open

    async def enter(self) -> None:
        """Take up the pause that the vault keeps, before anything is collected."""
        try:
            kept = await self._door.call(lambda vault: vault.settings.get(KEPT_AS))
        except RowDamaged:  # one that cannot be read has no end but a person's word
            kept = {"since": self._clock(), "seconds": None}
        self._pause = None if kept is None else Pause(**kept)
        if self.now is not None:
            self._collector.pause_all()
            self._wait()
        else:
            self._collector.resume_all()

    async def leave(self) -> None:
        self._stop_waiting()
        if self._ending is not None:
            self._ending.cancel()
            await asyncio.wait({self._ending})

    async def pause(self, seconds: float | None) -> Pause:
        """From now on, in place of a pause that there is; returns when all is still.

        A night that runs saves a checkpoint and ends; it is taken up again.
        """
        pause = Pause(since=self._clock(), seconds=seconds)
        await self._keep(pause)
        self._collector.pause_all()
        self._wait()
        self._tell()
        await self._nights.stop()
        return pause

    async def resume(self) -> bool:
        """Whether there was a pause."""
        was = self.now is not None
        if self._pause is not None:
            await self._keep(None)
        self._stop_waiting()
        self._collector.resume_all()
        self._tell()
        return was

    # ------------------------------------------------------------------- inside

    async def _keep(self, pause: Pause | None) -> None:
        kept = None if pause is None else {"since": pause.since, "seconds": pause.seconds}

        def act(vault: Vault) -> None:
            with vault.transaction():
                vault.settings.put(KEPT_AS, kept)
                facts: dict[str, Any] = {} if pause is None else {"seconds": pause.seconds}
                vault.ledger.append_event("resumed" if pause is None else "paused", facts)

        await self._door.call(act)
        self._pause = pause

    def _wait(self) -> None:
        self._stop_waiting()
        assert self._pause is not None
        left = self._pause.left(self._clock())
        if math.isfinite(left):
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(min(left, LONGEST_WAIT_SECONDS), self._look)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if self.now is None:
            self._ending = asyncio.create_task(self._end(), name="end of the pause")
        else:
            self._wait()

    async def _end(self) -> None:
        try:
            await self.resume()
        except (VaultIsLocked, StorageFull, StorageFailing) as error:
            # Its time is over, also by what the vault still keeps of it.
            log.error("the end of a pause could not be recorded: %s", type(error).__name__)
            self._pause = None
            self._stop_waiting()
            self._collector.resume_all()
            self._tell()

    def _tell(self) -> None:
        for told in self._on_change:
            told()


def _until(pause: Pause) -> str:
    if pause.until is None:
        return ""
    moment = datetime.datetime.fromtimestamp(pause.until).astimezone()
    return f" until {moment:%Y-%m-%d %H:%M}"
