"""What was read last of each condition, and since when it is so. Decides nothing.

Two clocks: the time of day is shown to people; what has to have held for a while is counted by one
that nobody sets.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from daemon.conditions.reading import Reading

log = logging.getLogger("nightloom.conditions")

NOT_READ = "not_read"  # the reason before a provider has told anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A reading, and how long it has been like that.

    Args:
        since: seconds since the epoch, since when it holds, holds not or is unknown.
        steady_since: the same by the steady clock; None: as long as anybody knows, so that what
            held already at the first look need not prove itself.
    """

    reading: Reading
    since: float
    steady_since: float | None = None


class Board:
    """Filled by the providers, read by whoever decides.

    Args:
        names: of the conditions that are wanted; what was not told is unknown.
        clock: seconds since the epoch.
        steady: seconds by a clock that nobody sets.
    """

    def __init__(
        self, names: Iterable[str], *, clock: Callable[[], float], steady: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._steady = steady
        self._changed: list[Callable[[], None]] = []
        self._known: set[str] = set()  # names of what could be read once
        now = clock()
        self._standings = {
            name: Standing(reading=_unread(name), since=now, steady_since=steady())
            for name in names
        }

    def on_change(self, told: Callable[[], None]) -> None:
        """`told()` when a condition begins or ceases to hold, or its reason changes."""
        self._changed.append(told)

    def tell(self, reading: Reading) -> None:
        """As a provider tells it, again and again or only at a change."""
        before = self._standings.get(reading.name)
        if before is not None and before.reading.holds is reading.holds:
            standing = Standing(
                reading=reading, since=before.since, steady_since=before.steady_since
            )
            same = before.reading.reason == reading.reason
        else:
            first = reading.name not in self._known
            standing = Standing(
                reading=reading,
                since=self._clock(),
                steady_since=None if first and reading.holds else self._steady(),
            )
            same = False
        self._standings[reading.name] = standing
        if reading.holds is not None:
            self._known.add(reading.name)
        if not same:
            for told in self._changed:
                try:
                    told()
                except Exception as error:  # one listener's mistake stops no provider
                    log.warning("a listener to the board failed: %s", type(error).__name__)

    def unsettle(self) -> None:
        """What holds has to prove itself anew: the machine slept, and much may be otherwise."""
        now, steady = self._clock(), self._steady()
        for name, standing in self._standings.items():
            if standing.reading.holds:
                self._standings[name] = Standing(
                    reading=standing.reading, since=now, steady_since=steady
                )

    @property
    def standings(self) -> tuple[Standing, ...]:
        return tuple(self._standings.values())

    @property
    def unread(self) -> tuple[str, ...]:
        """The conditions of which nothing was told yet."""
        return tuple(
            name
            for name, standing in self._standings.items()
            if standing.reading.reason == NOT_READ
        )


def _unread(name: str) -> Reading:
    return Reading(
        name=name,
        holds=None,
        value="not read yet",
        threshold="known",
        reason=NOT_READ,
        advice="Wait a moment; if it stays so, `nightloom doctor` says what is missing.",
    )
