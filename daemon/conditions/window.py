"""The hours in which nights may work, by weekday, as moments in time. Pure.

An hour that the clock shows twice is the first of the two, and one that it leaves out is counted
with the offset from before, so that a window keeps its length where it can (as calendars do,
RFC 5545, 3.3.5). Knows nothing of what time it is.
"""

import datetime
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

EXAMPLE = '"22:00-08:00" or "mon-fri 22:00-06:30, sat-sun 23:00-10:00"'
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))
LOOK_BACK_DAYS = 2  # the longest hours are a day, which the end of summer makes longer
LOOK_AHEAD_DAYS = 9  # further than the next week's same day

_HOURS = re.compile(r"(?:([a-z][a-z\s-]*?)\s+)?(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})", re.ASCII)
_DAYS = re.compile(r"([a-z]{3})(?:\s*-\s*([a-z]{3}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From one moment to another, in seconds since the epoch; the last does not belong to it."""

    begin: float
    end: float

    def __contains__(self, moment: float) -> bool:
        return self.begin <= moment < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Hours of the days on which they begin; those that end before they begin go over midnight,
    and equal ones are a whole day."""

    begin: datetime.time
    end: datetime.time
    days: frozenset[int] = EVERY_DAY  # 0 is Monday

    def on(self, day: datetime.date, zone: datetime.tzinfo | None) -> Span | None:
        """Those that begin on this day; None where the change of a clock leaves nothing of them."""
        last = day if self.begin < self.end else day + datetime.timedelta(days=1)
        span = Span(begin=_moment(day, self.begin, zone), end=_moment(last, self.end, zone))
        return span if span.begin < span.end else None

    def __str__(self) -> str:
        hours = f"{self.begin:%H:%M}-{self.end:%H:%M}"
        return hours if self.days == EVERY_DAY else f"{_days_text(self.days)} {hours}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """All hours in which nights may work, in local time."""

    rules: tuple[Hours, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a text such as `mon-fri 22:00-06:30, sat-sun 23:00-10:00`. Raises ValueError."""
        rules = tuple(_rule(part.strip().lower()) for part in _parts(text))
        if not rules:
            raise ValueError(f"has to be a text like {EXAMPLE}")
        return cls(rules=rules)

    def at(self, moment: float, zone: datetime.tzinfo | None = None) -> Span | None:
        """The span that holds the moment, if one does.

        Args:
            moment: in seconds since the epoch.
            zone: whose clock counts; None is the machine's.
        """
        return next((span for span in self._spans(moment, zone) if moment in span), None)

    def next(self, moment: float, zone: datetime.tzinfo | None = None) -> Span | None:
        """The first span that begins after the moment."""
        return next((span for span in self._spans(moment, zone) if span.begin > moment), None)

    def next_edge(self, moment: float, zone: datetime.tzinfo | None = None) -> float | None:
        """When the next span begins or the one that there is ends, whatever is sooner."""
        edges = {edge for span in self._spans(moment, zone) for edge in (span.begin, span.end)}
        return min((edge for edge in edges if edge > moment), default=None)

    def _spans(self, moment: float, zone: datetime.tzinfo | None) -> tuple[Span, ...]:
        """Around a moment, in order; those that overlap are one, those that only touch are two."""
        here = datetime.datetime.fromtimestamp(moment, zone).astimezone(zone)
        return _spans_around(self.rules, here.date(), zone, here.utcoffset())

    def __str__(self) -> str:
        return ", ".join(map(str, self.rules))


# --------------------------------------------------------------------------- moments


@functools.lru_cache(maxsize=8)
def _spans_around(
    rules: tuple[Hours, ...],
    today: datetime.date,
    zone: datetime.tzinfo | None,
    _offset: datetime.timedelta | None,  # another one where the machine's zone is changed
) -> tuple[Span, ...]:
    found: list[Span] = []
    for day in _days_around(today):
        for rule in rules:
            if day.weekday() in rule.days and (span := rule.on(day, zone)) is not None:
                found.append(span)
    return tuple(_merged(sorted(found, key=lambda span: (span.begin, span.end))))


def _moment(day: datetime.date, time: datetime.time, zone: datetime.tzinfo | None) -> float:
    return datetime.datetime.combine(day, time, tzinfo=zone).timestamp()  # fold 0: see above


def _days_around(today: datetime.date) -> Iterator[datetime.date]:
    for days in range(-LOOK_BACK_DAYS, LOOK_AHEAD_DAYS + 1):
        yield today + datetime.timedelta(days=days)


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in spans:
        if merged and span.begin < merged[-1].end:
            last = merged[-1]
            merged[-1] = Span(begin=last.begin, end=max(last.end, span.end))
        else:
            merged.append(span)
    return merged


# --------------------------------------------------------------------------- text


def _parts(text: str) -> list[str]:
    """Rules are parted by commas; a comma behind a day only parts days."""
    parts: list[str] = []
    pending = ""
    for part in text.split(","):
        pending = f"{pending} {part}" if pending else part
        if ":" in part:
            parts.append(pending)
            pending = ""
    return parts if not pending.strip() else [*parts, pending]


def _rule(text: str) -> Hours:
    match = _HOURS.fullmatch(text)
    if match is None:
        raise ValueError(f"has to be a text like {EXAMPLE}")
    days, *numbers = match.groups()
    h1, m1, h2, m2 = (int(number) for number in numbers)
    if max(h1, h2) > 23 or max(m1, m2) > 59:
        raise ValueError("has to name hours from 00:00 to 23:59")
    return Hours(
        begin=datetime.time(h1, m1),
        end=datetime.time(h2, m2),
        days=EVERY_DAY if days is None else _days(days),
    )


def _days(text: str) -> frozenset[int]:
    """From `mon-fri` or `mon wed sat-sun`; a range may go over Sunday."""
    found: set[int] = set()
    rest = text
    while rest := rest.strip():
        match = _DAYS.match(rest)
        if match is None or not {match[1], match[2] or match[1]} <= set(WEEKDAYS):
            raise ValueError(f"names days as {', '.join(WEEKDAYS)}")
        first, last = WEEKDAYS.index(match[1]), WEEKDAYS.index(match[2] or match[1])
        found |= {(first + step) % 7 for step in range((last - first) % 7 + 1)}
        rest = rest[match.end() :]
    return frozenset(found)


def _days_text(days: frozenset[int]) -> str:
    """Runs of three days and more as a range."""
    parts: list[str] = []
    day = 0
    while day < 7:
        last = day
        while last in days and last + 1 in days:
            last += 1
        if day in days:
            names = WEEKDAYS[day : last + 1]
            parts.append(f"{names[0]}-{names[-1]}" if len(names) > 1 else names[0])
        day = last + 1
    return " ".join(parts)
