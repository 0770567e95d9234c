"""Whether, after how the last nights ended, the next may begin by itself. Pure.

A refused night is a result: the next one comes with the next window. A failed one is tried again,
later each time, and after three in a row not before a person says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FAILURES_AT_MOST = 3
BACK_OFF_SECONDS = (15 * 60.0, 2 * 3600.0)  # after the first failure, and after the second
WAITS_SECONDS = 15 * 60.0  # after a night that could not begin
LOOKED_AT = 12  # nights


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """What stands in the way of the next night; nothing, by default.

    Args:
        again_at: seconds since the epoch, until when it waits.
        reason: `after_failure`, `after_refusal`, `after_waiting` or `stopped_by_hand`.
    """

    failures: int = 0
    again_at: float | None = None
    reason: str = ""

    @property
    def is_stopped(self) -> bool:
        return self.failures >= FAILURES_AT_MOST


def retry_after(
    nights: Sequence[Mapping[str, Any]],
    *,
    acted_at: float,
    next_window: float | None,
    window_began: float | None,
) -> Retry:
    """What follows from the last nights.

    Args:
        nights: their records, newest first.
        acted_at: when a person last asked for a night or told them to go on; counts anew from then.
        next_window: when the next window begins.
        window_began: when the one that there is now did, if there is one.
    """
    counted = [one for one in nights if one["reason"] != "abandoned"]
    failed = 0
    for one in counted:
        if one["state"] != "failed" or one["started_at"] < acted_at:
            break
        failed += 1
    if failed:
        back_off = BACK_OFF_SECONDS[min(failed, len(BACK_OFF_SECONDS)) - 1]
        return Retry(
            failures=failed, again_at=_ended_at(counted[0]) + back_off, reason="after_failure"
        )
    if counted and counted[0]["state"] == "refused" and counted[0]["started_at"] >= acted_at:
        ended = _ended_at(counted[0])
        if window_began is not None and ended >= window_began:
            return Retry(again_at=next_window, reason="after_refusal")
    return Retry()


def _ended_at(night: Mapping[str, Any]) -> float:
    """As far as the record says; what it was held is not in its seconds."""
    ended = night.get("ended_at")
    return float(night["started_at"] + night["seconds"] if ended is None else ended)
