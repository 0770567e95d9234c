"""What macOS's `pmset` says of power, low power and heat.

The parsers are tested on recorded output; none of this has run on a Mac yet.
"""

import re

from daemon.conditions.power import Power
from daemon.conditions.printed import printed

PMSET = "/usr/bin/pmset"

_SOURCE = re.compile(r"Now drawing from '([^']*)'")
_BATTERY = re.compile(r"-InternalBattery-\d+.*?(\d{1,3})%;\s*([^;]*);")
_LOW_POWER = re.compile(r"^\s*(lowpowermode|powermode)\s+(\d+)\s*$", re.MULTILINE)
_LIMIT = re.compile(r"CPU_(Speed|Scheduler)_Limit\s*=\s*(\d+)")
_WARNING = re.compile(r"thermal (?:warning )?level\s*(?:=|:|is|set to)\s*(\d+)", re.IGNORECASE)
_NO_WARNING = "No thermal warning level has been recorded"


async def power() -> Power | None:
    told = await printed((PMSET, "-g", "batt"))
    return None if told is None else parse_batteries(told)


async def low_power() -> bool | None:
    told = await printed((PMSET, "-g"))
    return None if told is None else parse_low_power(told)


async def throttled() -> str | None:
    """What `throttling` makes of the answer; None where there is none."""
    told = await printed((PMSET, "-g", "therm"))
    return None if told is None else throttling(told)


def parse_batteries(text: str) -> Power | None:
    """Of `pmset -g batt`. None where it is no such answer."""
    source = _SOURCE.search(text)
    if source is None:
        return None
    on_ac = {"AC Power": True, "Battery Power": False, "UPS Power": False}.get(source[1])
    lines = [line for line in text.splitlines() if "-InternalBattery-" in line]
    present = [line for line in lines if "present: false" not in line]
    if not present:
        return Power(on_ac=True if on_ac is None else on_ac, has_battery=False)
    found = [match for line in present if (match := _BATTERY.search(line))]
    known = len(found) == len(present)
    return Power(
        on_ac=on_ac,
        has_battery=True,
        percent=sum(int(one[1]) for one in found) / len(found) if known else None,
        charging=any(one[2].strip() in ("charging", "finishing charge") for one in found),
    )


def parse_low_power(text: str) -> bool | None:
    """Of `pmset -g`. False on Macs that have no such mode; None where it is no such answer."""
    if "profile" not in text and "settings" not in text:
        return None
    return any(value == "1" for _, value in _LOW_POWER.findall(text))


def throttling(text: str) -> str | None:
    """Of `pmset -g therm`: what is held back because of heat, "" for nothing, None: no answer."""
    limits = [int(value) for _, value in _LIMIT.findall(text)]
    warning = _WARNING.search(text)
    if warning is not None and int(warning[1]) > 0:
        return f"thermal warning {warning[1]}"
    if limits:
        return f"processor held to {min(limits)} %" if min(limits) < 100 else ""
    return "" if _NO_WARNING in text or warning is not None else None
