"""When somebody typed last at any terminal, from the devices' own times. Asks no service.

A terminal's device takes the time of what is read from it, which is what was typed (the kernel
keeps it to about eight seconds). Where logind runs it tells this better; this is for machines
without it.
"""

from pathlib import Path

DEVICES = Path("/dev")


def last_at_a_terminal(devices: Path = DEVICES) -> float | None:
    """Seconds since the epoch; None: there is no terminal in use, or none may be looked at."""
    found = []
    for folder, pattern in ((devices / "pts", "[0-9]*"), (devices, "tty[1-9]*")):
        for device in folder.glob(pattern):
            try:
                facts = device.stat()
            except OSError:  # closed meanwhile
                continue
            if _was_used(facts.st_uid, folder.name):
                found.append(facts.st_atime)
    return max(found, default=None)


def _was_used(owner: int, folder: str) -> bool:
    """A console belongs to root until somebody logs in; a window's terminal always to its user."""
    return folder == "pts" or owner != 0
