"""What the next night would find: how the last ones ended, whether there is text and a base.

Looked up in the vault and remembered for a while, since it takes seconds; told to the board.
"""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from daemon.conditions.board import Board
from daemon.conditions.reading import Reading
from daemon.night_orders import NightOrders
from daemon.night_reasons import (
    failing_reading,
    lock_reading,
    pause_reading,
    retry_reading,
    unknown_reading,
    window_reading,
)
from daemon.night_retries import LOOKED_AT, WAITS_SECONDS, Retry, retry_after
from daemon.night_time import Clocks, Hours
from daemon.pausing import Pause
from daemon.vault_door import Door
from storage.errors import StorageError
from storage.records import DocumentState

Json = dict[str, Any]
Counts = dict[DocumentState, int]

BELIEVED_SECONDS = 600.0  # what was found of text and base


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What a night needs, and how it is found out.

    Args:
        text, base: readings of these names; may take seconds.
        vault: for the log of the nights.
        is_open: whether the vault is.
        paused: the pause of everything that there is.
    """

    text: Callable[[], Awaitable[Reading]]
    base: Callable[[], Awaitable[Reading]]
    vault: Door
    is_open: Callable[[], bool]
    paused: Callable[[], Pause | None]


class NightProspects:
    """Tells the board of everything that is not the machine's."""

    def __init__(
        self,
        board: Board,
        preparation: Preparation,
        orders: NightOrders,
        hours: Hours,
        clocks: Clocks,
    ) -> None:
        self._board = board
        self._preparation = preparation
        self._orders = orders
        self._hours = hours
        self._clocks = clocks
        self._nights: list[Json] | None = None  # None: not known, or not any more
        self._prepared_at: float | None = None  # by the steady clock
        self._counted: Counts | None = None  # documents by state, when text was looked at
        self._waits_until: float | None = None  # after a night that could not begin
        self._ended_at: dict[int, float] = {}

    @property
    def paused(self) -> bool:
        return self._preparation.paused() is not None or self._orders.now.paused is not None

    def forget(self) -> None:
        """Of a vault that is opened anew nothing is known."""
        self._nights = self._prepared_at = self._waits_until = None

    def asked(self) -> None:
        """A person asked for a night, so nothing is waited for any more."""
        self._waits_until = None

    def night_ended(self, entry: Json | None) -> None:
        """What was known of nights and text is not true any more."""
        now = self._clocks.now()
        if entry is not None and entry.get("id") is not None:
            self._ended_at[entry["id"]] = now
        if entry is None or entry["state"] == "waiting":
            self._waits_until = now + WAITS_SECONDS
        self._nights = self._prepared_at = None

    # ------------------------------------------------------------------- finding out

    async def are_stale(self) -> bool:
        """Whether text and base have to be looked at before a night can begin: that was long ago,
        or documents came or went since."""
        at = self._prepared_at
        if at is None or self._clocks.steady() - at >= BELIEVED_SECONDS:
            return True
        return await self._count() != self._counted

    async def learn(self) -> None:
        """How the last nights ended, unless that is known."""
        if self._nights is None and self._preparation.is_open():
            with contextlib.suppress(StorageError):
                self._nights = await self._preparation.vault.call(
                    lambda vault: vault.ledger.nights(LOOKED_AT)
                )

    async def prepare(self) -> None:
        """Look at text and base."""
        if not self._preparation.is_open():
            return
        counted = await self._count()
        base, text = await self._preparation.base(), await self._preparation.text()
        self._counted = counted
        self._prepared_at = self._clocks.steady()
        self._board.tell(base)
        self._board.tell(text)

    async def _count(self) -> Counts:
        return await self._preparation.vault.call(lambda vault: vault.documents.counts())

    # ------------------------------------------------------------------- telling

    def tell(self) -> None:
        """What is known without waiting for anything."""
        tell, now, hours = self._board.tell, self._clocks.now(), self._hours
        is_open = self._preparation.is_open()
        tell(lock_reading(is_open=is_open))
        tell(pause_reading(self._preparation.paused(), self._orders.now, hours.zone))
        tell(window_reading(hours.window, now, hours.zone, automatic=hours.automatic))
        known = is_open and self._nights is not None
        retry = self._retry(now) if known else None
        if retry is not None:
            tell(failing_reading(retry))
            tell(retry_reading(retry, now, hours.zone))
        unknown = {"failing": retry is None, "retry": retry is None}
        unprepared = not is_open or self._prepared_at is None
        for name, is_unknown in {**unknown, "base": unprepared, "text": unprepared}.items():
            if is_unknown:
                tell(unknown_reading(name))

    def _retry(self, now: float) -> Retry:
        orders = self._orders.now
        if orders.stopped_until is not None:
            return Retry(again_at=orders.stopped_until, reason="stopped_by_hand")
        window, zone = self._hours.window, self._hours.zone
        following, present = window.next(now, zone), window.at(now, zone)
        nights = self._nights or []
        retry = retry_after(
            [{**one, "ended_at": self._ended_at.get(one["id"])} for one in nights],
            acted_at=orders.acted_at,
            next_window=None if following is None else following.begin,
            window_began=None if present is None else present.begin,
        )
        if retry == Retry() and self._waits_until is not None:
            return Retry(again_at=self._waits_until, reason="after_waiting")
        return retry
