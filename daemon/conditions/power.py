"""Whether the machine is plugged in and its battery charged enough. Pure.

A machine without a battery is on AC. The battery has to be charged even when plugged in: a charger
that is too weak for a night's work would empty it.
"""

import math
from dataclasses import dataclass

from daemon.conditions.reading import Reading, unknown

NAMES = ("power", "battery")
CHARGED_AGAIN_PERCENT = 3  # above the floor, after having been below it

ON_AC = "on AC"
NOBODY_SAYS = "Nobody says how this machine is powered; on Linux, install UPower."


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """How a machine is powered. None: whoever was asked does not say.

    Args:
        percent: of all batteries together; None also where there is none.
        charging: False at a limit that the user set or when full, too: then it gets no fuller.
        lid_closed: None without a lid, too.
    """

    on_ac: bool | None = None
    has_battery: bool | None = None
    percent: float | None = None
    charging: bool = False
    lid_closed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What was made of the battery, as far as the next look has to know it."""

    low: bool = False


def power_reading(power: Power) -> Reading:
    """Plugged in or not; how long already is for `decision.py`. A closed lid is only told: where it
    shall end a night, the machine goes to sleep at it."""
    if power.on_ac is None:
        return unknown("power", threshold=ON_AC, advice=NOBODY_SAYS)
    lid = ", lid closed" if power.lid_closed else ""
    return Reading(
        name="power",
        holds=power.on_ac,
        value=f"{ON_AC if power.on_ac else 'on battery'}{lid}",
        threshold=ON_AC,
        reason="" if power.on_ac else "on_battery",
        advice="" if power.on_ac else "Plug it in.",
    )


def battery_reading(power: Power, *, floor: float, before: Charge) -> tuple[Reading, Charge]:
    """Charged enough or not: below the floor it has to come a little above it first, unless it is
    not being charged any more, so that a night does not stop and start at every percent."""
    at_least = f"at least {floor:g} %"
    if power.has_battery is False:
        reading = Reading(name="battery", holds=True, value="no battery", threshold=at_least)
        return reading, Charge()
    if power.has_battery is None or power.percent is None:
        return unknown("battery", threshold=at_least, advice=NOBODY_SAYS), before
    wanted = floor
    if before.low and power.charging:
        wanted = min(100.0, floor + CHARGED_AGAIN_PERCENT)
    low = power.percent < wanted
    reading = Reading(
        name="battery",
        holds=not low,
        value=f"{math.floor(power.percent)} %",
        threshold=f"at least {wanted:g} %",
        reason="battery_low" if low else "",
        advice=f"Let it charge to {wanted:g} %." if low else "",
    )
    return reading, Charge(low=low)
