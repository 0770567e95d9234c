"""A notification on the desktop after a night. Only sentences that stand here and numbers: nothing
of the user's text, and no name of anything of theirs, can get into it.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from daemon.conditions.bus import Bus, BusGone, BusRefused, variant

log = logging.getLogger("nightloom.conditions")

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
OSASCRIPT = ("/usr/bin/osascript",)
# The text comes as arguments, not as part of the program.
SCRIPT = (
    "on run given",
    "display notification (item 2 of given) with title (item 1 of given)",
    "end run",
)
ANSWER_SECONDS = 10.0


class Ended(StrEnum):
    """How a night ended that is told on the desktop."""

    PUBLISHED = "published"
    REFUSED = "refused"
    STOPPED = "stopped"  # nights that failed again and again


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    title: str
    body: str


def notice_of(ended: Ended, *, tokens: int = 0, failures: int = 0) -> Notice:
    """Args:
    tokens: that the night learned from.
    failures: nights in a row that failed.
    """
    if ended is Ended.PUBLISHED:
        learned = f"learned from {tokens:,} tokens and " if tokens else ""
        return Notice(
            title="nightloom has learned",
            body=f"Last night {learned}is now in use. See: nightloom status",
        )
    if ended is Ended.REFUSED:
        return Notice(
            title="nightloom kept what it had",
            body="Last night was no better, so nothing changed. See: nightloom night log",
        )
    return Notice(
        title="nightloom has stopped its nights",
        body=f"{failures} nights in a row failed. See: nightloom why",
    )


class DesktopNotices:
    """On the session bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._last = 0  # a newer notice takes the place of an older one

    async def show(self, notice: Notice) -> bool:
        """Whether a desktop took it. Where there is none, nothing is lost: `status` tells the
        same."""
        hints = {
            "desktop-entry": variant("s", "nightloom"),
            "category": variant("s", "x-nightloom.night"),
            "urgency": variant("y", 0),
        }
        try:
            if not await self._bus.owned(NAME):
                return False
            (self._last,) = await self._bus.call(
                NAME, PATH, NAME, "Notify", "susssasa{sv}i",
                "nightloom", self._last, "", notice.title, notice.body, [], hints, -1,
            )  # fmt: skip
        except (BusGone, BusRefused) as error:
            log.debug("no notification: %s", type(error).__name__)
            return False
        return True


class MacNotices:
    """By macOS's `osascript`."""

    def __init__(self, command: Sequence[str] = OSASCRIPT) -> None:
        self._command = command

    async def show(self, notice: Notice) -> bool:
        lines = [argument for line in SCRIPT for argument in ("-e", line)]
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *lines,
                notice.title,
                notice.body,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError:
            return False
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await process.wait() == 0
        except TimeoutError:
            return False
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
