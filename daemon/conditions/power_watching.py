"""Asks in turn whoever may know how the machine is powered, and keeps what they said."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from daemon.conditions.looking import Every
from daemon.conditions.power import Charge, Power, battery_reading, power_reading
from daemon.conditions.reading import Reading

# UPower tells of each change; that one is lost is made good a minute later at most.
TOLD = Every(close_seconds=60.0, far_seconds=600.0)
# The kernel tells nobody; a night has to end within a second of the plug.
LOOKED_AT = Every(close_seconds=1.0, far_seconds=30.0)
ASKED = Every(close_seconds=2.0, far_seconds=60.0)  # a program that is started for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Somebody who may know. `read` gives None where there is no such, or no answer."""

    read: Callable[[], Awaitable[Power | None]]
    every: Every


class PowerWatching:
    """Args:
    sources: the first that answers counts.
    floor: the least charge of the battery in percent.
    """

    def __init__(self, sources: Sequence[Source], *, floor: float) -> None:
        self._sources = sources
        self._floor = floor
        self._charge = Charge()
        self._every = LOOKED_AT

    def every(self) -> Every:
        return self._every

    async def look(self) -> tuple[Reading, ...]:
        power, self._every = await self._read()
        battery, self._charge = battery_reading(power, floor=self._floor, before=self._charge)
        return power_reading(power), battery

    async def _read(self) -> tuple[Power, Every]:
        for source in self._sources:
            found = await source.read()
            if found is not None:
                return found, source.every
        return Power(), ASKED
