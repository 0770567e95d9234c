"""Whether somebody is at the machine: decided from what each place tells where input can come in.

Only input counts, never how busy the machine is: our own work must not look like a user. Pure:
reads no clock and asks nobody.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon.conditions.reading import Reading

NAME = "presence"
PRESENT = "user_present"
UNKNOWN = "presence_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One place where input can come in: a desktop, a login at a terminal.

    Args:
        source: what it is, in a user's words; never a name of a person or a machine.
        away: whether no input came for the time that is asked for; None: it could not be found out.
        last_input: seconds since the epoch, where it is known.
        away_at: when `away` becomes true by time alone, if it does; seconds since the epoch.
        polled: whether it tells nothing by itself and has to be asked again and again.
    """

    source: str
    away: bool | None
    last_input: float | None = None
    away_at: float | None = None
    polled: bool = False


def by_time(
    source: str, last_input: float, *, now: float, idle_seconds: float, polled: bool = False
) -> Sighting:
    """A place of which the time of the last input is known.

    A time that is still to come (the clock was set back) counts as now.
    """
    last_input = min(last_input, now)
    away_at = last_input + idle_seconds
    away = now >= away_at
    return Sighting(
        source=source,
        away=away,
        last_input=last_input,
        away_at=None if away else away_at,
        polled=polled,
    )


def reading_of(sightings: Sequence[Sighting], idle_seconds: float) -> Reading:
    """Nobody is there if nobody is at any place. A place that cannot be asked is a no."""
    minutes = _minutes(idle_seconds)
    threshold = f"no input for {minutes}"
    present = [one for one in sightings if one.away is False]
    unknown = [one for one in sightings if one.away is None]
    if present:
        return Reading(
            name=NAME,
            holds=False,
            value=f"in use ({_named(present)})",
            threshold=threshold,
            reason=PRESENT,
            advice=f"leave it alone for {minutes}",
        )
    if unknown:
        return Reading(
            name=NAME,
            holds=None,
            value=f"does not say ({_named(unknown)})",
            threshold=threshold,
            reason=UNKNOWN,
            advice="log out there, or use a desktop that tells when it was used last",
        )
    return Reading(name=NAME, holds=True, value=_away(sightings), threshold=threshold)


def unknown(value: str, idle_seconds: float) -> Reading:
    """Where even the places are not known."""
    return Reading(
        name=NAME,
        holds=None,
        value=value,
        threshold=f"no input for {_minutes(idle_seconds)}",
        reason=UNKNOWN,
        advice="see whether logind and the system bus run",
    )


def _away(sightings: Sequence[Sighting]) -> str:
    if not sightings:
        return "nobody is logged in"
    known = [one.last_input for one in sightings if one.last_input is not None]
    if not known:
        return "no input"
    return f"no input since {datetime.fromtimestamp(max(known)):%H:%M}"


def _named(sightings: Sequence[Sighting]) -> str:
    return ", ".join(dict.fromkeys(one.source for one in sightings))


def _minutes(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"
