"""Whether others compute on the graphics card. Pure.

What a desktop draws is not counted, only programs that compute and a card that is busy. A machine
without an NVIDIA driver is not held.
"""

from dataclasses import dataclass

from daemon.conditions.reading import Reading, unknown
from daemon.conditions.room import amount

NAMES = ("gpu",)
THRESHOLD = "not used by others"
OTHERS_BYTES = 256_000_000  # that a program which only rests there may hold
BUSY_PERCENT = 30  # of the time, on a card where none of ours computes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """What the driver says of all cards together.

    Args:
        cards: how many there are.
        others: programs that compute there and are not ours.
        others_bytes: what they hold, where it is told.
        ours: one of ours computes there, so that the time is ours too.
        busy_percent: of the busiest card; None where none tells.
    """

    cards: int
    others: int = 0
    others_bytes: int = 0
    ours: bool = False
    busy_percent: int | None = None


NO_CARD = Cards(cards=0)


def gpu_reading(cards: Cards | None) -> Reading:
    """None: there is a driver, and it does not answer."""
    if cards is None:
        advice = "The NVIDIA driver does not answer; after an update of it, restart the machine."
        return unknown("gpu", threshold=THRESHOLD, advice=advice)
    if not cards.cards:
        return Reading(name="gpu", holds=True, value="no NVIDIA card", threshold=THRESHOLD)
    if cards.others and cards.others_bytes >= OTHERS_BYTES:
        programs = "one program" if cards.others == 1 else f"{cards.others} programs"
        return _busy(f"{programs} with {amount(cards.others_bytes)}")
    if not cards.ours and (cards.busy_percent or 0) >= BUSY_PERCENT:
        return _busy(f"busy {cards.busy_percent} %")
    return Reading(name="gpu", holds=True, value="not used by others", threshold=THRESHOLD)


def _busy(value: str) -> Reading:
    return Reading(
        name="gpu",
        holds=False,
        value=value,
        threshold=THRESHOLD,
        reason="gpu_busy",
        advice="Wait until the other programs on the graphics card are done, or end them.",
    )
