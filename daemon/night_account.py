"""Where the seconds of a window went: to work, or to the reason for which there was none. Pure.

An account is of one window, or of a night that somebody asked for outside of one. Its stretches
follow one another without a gap, so that their seconds are the seconds that went by.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

Json = dict[str, Any]

WORK = "work"
ASLEEP = "asleep"  # the machine slept, or its clock was set ahead
NOT_RUNNING = "not_running"  # the service did not
LOCKED = "locked"
CHAT = (
    "chat"  # seconds within those of work, in which clients were answered; the engine counts them
)
VARIOUS = "various"
MOST_STRETCHES = 1000  # of one account; what changes more often than that is told as one
KEPT_ACCOUNTS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Seconds since the epoch, what they were spent on, and the night that worked or was held."""

    begin: float
    end: float
    what: str
    night: int | None = None

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Of the time from `begin` until now; `end` is the window's, None outside of one."""

    begin: float
    end: float | None = None
    stretches: tuple[Stretch, ...] = ()

    @property
    def until(self) -> float:
        return self.stretches[-1].end if self.stretches else self.begin

    def counted(self, until: float, what: str) -> Self:
        """With the time since the last count given to `what`; a clock that went back adds none."""
        begin = self.until
        if until <= begin:
            return self
        last = self.stretches[-1] if self.stretches else None
        if len(self.stretches) >= MOST_STRETCHES:
            what = VARIOUS
        if last is not None and (last.what, last.night) == (what, None):
            return replace(self, stretches=(*self.stretches[:-1], replace(last, end=until)))
        return replace(
            self, stretches=(*self.stretches, Stretch(begin=begin, end=until, what=what))
        )

    def of_night(self, since: float, night: int) -> Self:
        """With what was counted since this moment said to belong to a night."""
        return replace(
            self,
            stretches=tuple(
                replace(one, night=night) if one.begin >= since and one.night is None else one
                for one in self.stretches
            ),
        )

    def to_json(self) -> Json:
        rows = [[one.begin, one.end, one.what, one.night] for one in self.stretches]
        return {"begin": self.begin, "end": self.end, "stretches": rows}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        stretches = tuple(
            Stretch(begin=begin, end=end, what=what, night=night)
            for begin, end, what, night in kept["stretches"]
        )
        return cls(begin=kept["begin"], end=kept["end"], stretches=stretches)


def lost(stretches: Sequence[Stretch]) -> dict[str, float]:
    """Seconds by reason, the most first."""
    seconds: dict[str, float] = {}
    for one in stretches:
        if one.what != WORK:
            seconds[one.what] = seconds.get(one.what, 0.0) + one.seconds
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))


def timeline(stretches: Sequence[Stretch]) -> list[Json]:
    return [{"at": one.begin, "what": one.what, "seconds": one.seconds} for one in stretches]


# --------------------------------------------------------------------------- in the log


def told_of_nights(records: Sequence[Json], accounts: Sequence[Account]) -> list[Json]:
    """The log with the accounts in it: records with what was lost, windows without a night.

    The time in which no night worked belongs to the next one of that window, or to the last. A
    night that was asked for outside of one, and found nothing to do, is no line.

    Args:
        records: newest first, as `night log` shows them.
        accounts: in any order.
    """
    by_night: dict[int, list[Stretch]] = {}
    without: list[Json] = []
    for account in sorted(accounts, key=lambda one: one.begin):
        shares = _by_night(account)
        for night, stretches in shares.items():
            if night is not None:
                by_night.setdefault(night, []).extend(stretches)
        if None in shares and account.stretches and account.end is not None:
            without.append(_window_without(account))
    told = [_with_account(record, by_night.get(record["id"])) for record in records]
    return sorted([*told, *without], key=lambda record: -record["started_at"])


def _by_night(account: Account) -> dict[int | None, list[Stretch]]:
    nights = [one.night for one in account.stretches]
    last = next((night for night in reversed(nights) if night is not None), None)
    owners: list[int | None] = []
    following = last
    for night in reversed(nights):
        following = night if night is not None else following
        owners.append(following)
    shares: dict[int | None, list[Stretch]] = {}
    for owner, stretch in zip(reversed(owners), account.stretches, strict=True):
        shares.setdefault(owner, []).append(stretch)
    return shares


def _with_account(record: Json, stretches: list[Stretch] | None) -> Json:
    if not stretches:
        return {**record, "timeline": record.get("timeline", [])}
    chats = {what: seconds for what, seconds in record["lost"].items() if what == CHAT}
    return {**record, "lost": {**lost(stretches), **chats}, "timeline": timeline(stretches)}


def _window_without(account: Account) -> Json:
    """A line of the log for a window in which there was no night."""
    reasons = lost(account.stretches)
    reason = next(iter(reasons), None)
    worked = sum(one.seconds for one in account.stretches if one.what == WORK)
    return {
        "id": None,
        "started_at": account.begin,
        "state": "waiting",
        "documents": 0,
        "tokens": 0,
        "tokens_per_second": None,
        "steps": 0,
        "held_out_loss_before": None,
        "held_out_loss_after": None,
        "general_loss_before": None,
        "general_loss_after": None,
        "verdict": None,
        "reason": reason,
        "sentence": "A night was cut off." if worked else "No night worked in this window.",
        "adapter": None,
        "seconds": worked,
        "lost": reasons,
        "timeline": timeline(account.stretches),
    }


def is_contiguous(account: Account) -> bool:
    """Whether every second from its beginning until now stands in it, once."""
    if account.stretches and account.stretches[0].begin != account.begin:
        return False
    return all(one.end == after.begin for one, after in itertools.pairwise(account.stretches))
