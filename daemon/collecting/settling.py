"""When a file is at rest: pure, one value per file that is still moving."""

from dataclasses import dataclass

from daemon.collecting.source import FoundFile

LONGEST_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """A file that is waited for."""

    file: FoundFile
    look_again_at: float  # seconds since the epoch
    wait_seconds: float  # grows while the file keeps changing


def settle(
    file: FoundFile, before: Unsettled | None, *, now: float, settle_seconds: float
) -> Unsettled | None:
    """None when the file may be read, else when to look again.

    At rest is a file that changed last `settle_seconds` ago, or that looks the same as when it was
    looked at so long ago: that holds also where the clock of a file server goes ahead of ours.
    """
    last_change = max(file.mtime_ns, file.ctime_ns) / 1e9
    if now - last_change >= settle_seconds:
        return None
    if before is None:
        wait = settle_seconds
    elif before.file != file:
        wait = min(2 * before.wait_seconds, max(LONGEST_WAIT_SECONDS, settle_seconds))
    elif now >= before.look_again_at:
        return None
    else:
        return before
    return Unsettled(file=file, look_again_at=now + wait, wait_seconds=wait)
