"""Whether there is memory and disk enough for a night. Pure.

A night that works has its memory already: what counts then is that something is left for others.
"""

from daemon.conditions.reading import Reading, unknown
from daemon.disk_room import FULL_BELOW_BYTES
from daemon.night_needs import NightNeeds

# Left for others while a night works; below it the machine would begin to swap or to kill.
LEAST_LEFT_BYTES = 256 << 20
LEAST_LEFT_SHARE = 1 / 40  # of a machine that has less than 10 GiB


def memory_reading(
    needs: NightNeeds | None, *, available: int, of_engine: int, machine: int, works: bool
) -> Reading:
    """Args:
    needs: None where the base cannot be used, so that nobody knows.
    available: what processes can get now without swapping.
    of_engine: of the engine alone, files not counted; given back when it ends.
    machine: all that there is.
    works: a night does, so that it has what it takes.
    """
    left = min(LEAST_LEFT_BYTES, round(machine * LEAST_LEFT_SHARE))
    wanted = left if needs is None else max(left, needs.memory_bytes)
    found = available + of_engine
    if works:
        advice = "Close programs that take much memory; there is too little beside the night."
        short = available < left
        return _memory(available, left, "memory" if short else "", advice if short else "")
    if needs is not None and needs.problem:
        return _memory(found, wanted, "too_little_memory", needs.problem)
    if found < wanted:
        return _memory(found, wanted, "memory", f"Free {amount(wanted - found)} more of memory.")
    return _memory(found, wanted, "", "")


def _memory(found: int, wanted: int, reason: str, advice: str) -> Reading:
    return Reading(
        name="memory",
        holds=not reason,
        value=f"{amount(found)} free",
        threshold=f"at least {amount(wanted)}",
        reason=reason,
        advice=advice,
    )


def disk_reading(needs: NightNeeds | None, *, free: int | None, works: bool) -> Reading:
    """Args:
    free: on the vault's disk; None where the system does not say.
    works: a night does, so one of its checkpoints may be there already.
    """
    wanted = FULL_BELOW_BYTES
    if needs is not None:
        wanted += needs.go_on_disk_bytes if works else needs.begin_disk_bytes
    threshold = f"at least {amount(wanted)}"
    if free is None:
        return unknown("disk", threshold=threshold)
    enough = free >= wanted
    return Reading(
        name="disk",
        holds=enough,
        value=f"{amount(free)} free",
        threshold=threshold,
        reason="" if enough else "disk_full",
        advice="" if enough else f"Free {amount(wanted - free)} more on the vault's disk.",
    )


def amount(size: int) -> str:
    """A size for a person."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"
