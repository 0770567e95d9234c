"""Whether the clock may be believed when it says that text has grown old. Pure.

A clock that jumps ahead makes everything old at once, and what is deleted then does not come back.
So after a jump there is a day of waiting, in which a person or a time server can put it right.
"""

import time
from dataclasses import dataclass

DAY_SECONDS = 86_400.0
JUMP_SECONDS = 2 * DAY_SECONDS  # ahead of what was expected
FAR_JUMP_SECONDS = 30 * DAY_SECONDS  # one of these is waited for anew, whatever was before
MADE_AT = 1_767_225_600.0  # 2026-01-01: no clock of a machine that runs this is right and earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSeen:
    """What is remembered of the clock."""

    at: float  # seconds since the epoch, when it was looked at last
    jumped_at: float | None = None  # the time after a jump that is not believed yet


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockLook:
    """`waits` is the sentence that says why the clock is not believed; None when it is."""

    seen: ClockSeen
    waits: str | None = None


def look_at_clock(seen: ClockSeen, now: float, *, steady_seconds: float) -> ClockLook:
    """Compare the clock with what it should show.

    Args:
        seen: from the look before.
        now: what the clock says.
        steady_seconds: that went by since then, by a clock that nobody sets; 0 where that is not
            known, as after a restart.
    """
    if now < MADE_AT:
        return ClockLook(seen=seen, waits="The clock is behind; set it, and old text is removed.")
    ahead = now - (seen.at + steady_seconds)
    jumped_at = seen.jumped_at
    if ahead < -DAY_SECONDS:  # it was put right, or goes wrong in the way that keeps more
        jumped_at = None
    elif ahead > FAR_JUMP_SECONDS or (ahead > JUMP_SECONDS and jumped_at is None):
        jumped_at = now
    if jumped_at is not None and now - jumped_at < DAY_SECONDS:
        return ClockLook(
            seen=ClockSeen(at=now, jumped_at=jumped_at),
            waits="The clock is days ahead of when it was seen last; if it is right, old text is "
            "removed after a day, and if it is wrong, set it.",
        )
    return ClockLook(seen=ClockSeen(at=now))


def steady_clock() -> float:
    """Seconds by a clock that nobody sets and that counts while the machine sleeps, if it can."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
