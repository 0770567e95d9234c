"""Lengths of time as people write them: `30m`, `2h`, `1d`, `1h30m`. Pure."""

import re

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST_SECONDS = 366 * SECONDS["d"]
_PART = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smhdw])", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds.

    Raises:
        ValueError: with a sentence that says how to write it.
    """
    written = "".join(text.split()).lower()
    found = list(_PART.finditer(written))
    if not found or "".join(part[0] for part in found) != written:
        raise ValueError(
            "write a length of time as a number and s, m, h, d or w, such as 30m or 2h"
        )
    units = [part[2] for part in found]
    if len(set(units)) != len(units):
        raise ValueError("write each of s, m, h, d and w once, such as 1h30m")
    seconds = sum(float(part[1]) * SECONDS[part[2]] for part in found)
    if not 1 <= seconds <= LONGEST_SECONDS:
        raise ValueError("a length of time has to be from 1s to 366d")
    return seconds
