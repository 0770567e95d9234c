"""Answers as rows of a terminal: which of them are done, and which may still change. Pure.

One answer takes the whole width; two stand side by side, or one below the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

BETWEEN = " │ "


@dataclass(slots=True)
class Column:
    """Lines of one answer, ready to be shown."""

    title: str = ""
    done: list[str] = field(default_factory=list, repr=False)
    open: list[str] = field(default_factory=list, repr=False)  # drawn anew as it grows
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    done: list[str] = field(repr=False)
    open: list[str] = field(repr=False)


def stacked(columns: Sequence[Column]) -> Rows:
    """One below the other: of the later ones no row is done before the earlier have ended."""
    done: list[str] = []
    open_: list[str] = []
    for place, column in enumerate(columns):
        head = [*([""] if place else []), column.title] if column.title else []
        (open_ if open_ else done).extend([*head, *column.done])
        if not column.ended:
            open_.extend(column.open or [""])
    return Rows(done=done, open=open_)


def side_by_side(columns: Sequence[Column], width: int) -> Rows:
    """Lines are as wide as `width`; a row is done where it is so in all columns."""
    blank = " " * width
    rows = [
        BETWEEN.join(cells).rstrip()
        for cells in zip_longest(
            *([_cell(one.title, width), *one.done, *one.open] for one in columns), fillvalue=blank
        )
    ]
    going = [1 + len(one.done) for one in columns if not one.ended]
    at = min(going, default=len(rows))
    return Rows(done=rows[:at], open=rows[at:])


def _cell(text: str, width: int) -> str:
    return text[:width].ljust(width)


class Painter:
    """What is written so that a terminal shows rows that grow and change at their end.

    `live` stands on the screen with the cursor at its end; a terminal's own scrolling takes what
    is done.
    """

    def __init__(self) -> None:
        self._done = 0  # rows
        self._live = [""]

    def folded(self) -> str:
        """The screen has another width now, and has folded what stood there: go on below it."""
        self._live = [""]
        return "\n"

    def paint(self, rows: Rows, height: int) -> str:
        """Only what differs is drawn again; of open rows as many as the screen holds."""
        live = rows.open[-max(height - 1, 1) :] or [""]
        now = [*rows.done[self._done :], *live]
        before, self._live, self._done = self._live, live, len(rows.done)
        same = 0
        while same < min(len(before), len(now)) and before[same] == now[same]:
            same += 1
        if same == len(before) == len(now):
            return ""
        same = min(same, len(now) - 1)
        if same == len(before):
            return "\n" + "\n".join(now[same:])
        up = len(before) - 1 - same
        if not up and now[same].startswith(before[same]):  # most often: a line grows at its end
            return now[same][len(before[same]) :] + "".join(f"\n{row}" for row in now[same + 1 :])
        return "\r" + (f"\x1b[{up}A" if up else "") + "\x1b[J" + "\n".join(now[same:])
