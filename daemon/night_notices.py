"""Tells the desktop how a night ended, and that no more nights begin. Of text it knows nothing."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from daemon.conditions.board import Board
from daemon.desktop_notice import Ended, Notice, notice_of
from daemon.night_retries import FAILURES_AT_MOST

FAILING = "failing"  # the condition that ceases to hold
ENDS = {"done": Ended.PUBLISHED, "refused": Ended.REFUSED}


class Notices(Protocol):
    """A desktop, as in `desktop_notice.py`."""

    async def show(self, notice: Notice) -> bool: ...


class NightNotices:
    """Listens to the nights (`ended`) and to the board (`looked`)."""

    def __init__(self, desktop: Notices, board: Board) -> None:
        self._desktop = desktop
        self._board = board
        self._stopped = False
        self._showing: set[asyncio.Task[bool]] = set()

    def ended(self, entry: Mapping[str, Any] | None) -> None:
        """A night has ended, with this entry in the log; one that waits or failed tells nothing."""
        end = None if entry is None else ENDS.get(entry["state"])
        if entry is not None and end is not None:
            self._show(notice_of(end, tokens=entry["tokens"]))

    def looked(self) -> None:
        """Something on the board is otherwise: told once when nights are given up."""
        stopped = any(
            one.reading.name == FAILING and one.reading.holds is False
            for one in self._board.standings
        )
        if stopped and not self._stopped:
            self._show(notice_of(Ended.STOPPED, failures=FAILURES_AT_MOST))
        self._stopped = stopped

    def _show(self, notice: Notice) -> None:
        task = asyncio.create_task(self._desktop.show(notice), name="notification")
        self._showing.add(task)
        task.add_done_callback(self._showing.discard)
