"""Counts every second: what the time since the last look went to, in the account it belongs to."""

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass

from daemon.conditions.window import Span, Window
from daemon.night_account import ASLEEP, LOCKED, NOT_RUNNING, Account
from daemon.night_accounts import NightAccounts

SLEPT_SECONDS = 30.0  # the time of day ahead of the steady clock by more than that


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When nights may work.

    Args:
        zone: of the window; None is the machine's.
    """

    window: Window
    automatic: bool = True
    zone: datetime.tzinfo | None = None

    def at(self, moment: float) -> Span | None:
        """The window that there is; none where nights begin by hand."""
        return self.window.at(moment, self.zone) if self.automatic else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """The time of day in seconds since the epoch; seconds by a clock that nobody sets, and that
    stands while the machine sleeps."""

    now: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic


class NightTime:
    """Between two looks it is told once what goes on; the next look gives it its seconds."""

    def __init__(self, accounts: NightAccounts, hours: Hours, clocks: Clocks) -> None:
        self._accounts = accounts
        self._hours = hours
        self._clocks = clocks
        self._there_since = self._opened_at = self._at = clocks.now()
        self._steady = clocks.steady()
        self._spent_on: str | None = None  # None: not said
        self._night_began: float | None = None

    # ------------------------------------------------------------------- the vault opens and closes

    async def open(self) -> None:
        self._opened_at = self._clocks.now()
        await self._accounts.enter(self._there_since, self._opened_at)
        self._at, self._steady = self._opened_at, self._clocks.steady()

    async def close(self) -> None:
        self.count()
        self._spent_on = None
        self._there_since = self._clocks.now()
        await self._accounts.leave()

    # ------------------------------------------------------------------- looks

    def look(self) -> bool:
        """Count until now; whether the machine slept since the last look."""
        now, steady = self._clocks.now(), self._clocks.steady()
        slept = (now - self._at) - (steady - self._steady)
        if slept <= SLEPT_SECONDS:
            self.count()
            return False
        self._give(now - slept, self._spent_on)
        self._give(now, None if self._spent_on is None else ASLEEP)
        self._at, self._steady = now, steady
        return True

    def count(self) -> None:
        """Give the time since the last count to what goes on."""
        self._give(self._clocks.now(), self._spent_on)
        self._at, self._steady = self._clocks.now(), self._clocks.steady()

    def goes_on(self, what: str, *, night: bool) -> None:
        """From now on.

        Args:
            what: `WORK`, or the name of the condition that is in the way.
            night: whether there is a night, working or held.
        """
        self.count()
        now = self._clocks.now()
        span, account = self._hours.at(now), self._accounts.current
        if account is not None and not _belongs(account, span, now, night=night):
            if account.end is not None:
                self._accounts.change(account.counted(account.end, what))
            self._accounts.close()
            self._accounts.keep()
            account = None
        if account is None and (span is not None or night) and not self._is_closed(span):
            self._accounts.change(self._new(span, now).counted(now, what))
        counts = self._accounts.current is not None
        if counts and what != self._spent_on:
            self._accounts.keep()
        self._spent_on = what if counts else None

    # ------------------------------------------------------------------- nights

    def night_begins(self) -> None:
        if self._night_began is None:
            self._night_began = self._clocks.now()

    def night_ended(self, number: int | None) -> None:
        """Args: number: of its record, where it has one."""
        self.count()
        self._spent_on = None  # the next look says
        account = self._accounts.current
        if number is not None and account is not None and self._night_began is not None:
            self._accounts.change(account.of_night(self._night_began, number))
        self._night_began = None

    def accounts(self, running: int | None) -> tuple[Account, ...]:
        """All that are kept, with the time of the night that runs said to be its.

        Args:
            running: the number of its record.
        """
        accounts, current = self._accounts.all, self._accounts.current
        if running is None or current is None or self._night_began is None:
            return accounts
        return (*accounts[:-1], current.of_night(self._night_began, running))

    # ------------------------------------------------------------------- inside

    def _give(self, until: float, what: str | None) -> None:
        account = self._accounts.current
        if account is not None and what is not None:
            until = until if account.end is None else min(until, account.end)
            self._accounts.change(account.counted(until, what))

    def _is_closed(self, span: Span | None) -> bool:
        """Whether this window has its account already: the clock was set back into it."""
        return span is not None and any(one.end == span.end for one in self._accounts.all)

    def _new(self, span: Span | None, now: float) -> Account:
        """A window's account begins with it, whoever was there then."""
        if span is None:
            return Account(begin=now)
        account = Account(begin=span.begin, end=span.end)
        before = account.counted(min(now, self._there_since), NOT_RUNNING)
        return before.counted(min(now, self._opened_at), LOCKED)


def _belongs(account: Account, span: Span | None, now: float, *, night: bool) -> bool:
    """Whether this moment is to be counted in the account."""
    if account.end is None:  # of a night outside of a window
        return night and span is None
    return span is not None and account.end == span.end and now < account.end
