"""Answers on a terminal while they come: Markdown block by block, one answer or two.

A thin shell over `chat_blocks.py`, `chat_rows.py` and `chat_markdown.py`.
"""

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from daemon.cli import text
from daemon.cli.chat_blocks import Blocks
from daemon.cli.chat_markdown import Lines
from daemon.cli.chat_rows import BETWEEN, Column, Painter, Rows, side_by_side, stacked
from daemon.cli.output import say

WIDE = 100  # columns from which two answers stand side by side
DRAWN_EVERY = 0.05  # seconds
FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
PLAIN_FRAMES = "-\\|/"


@dataclass(slots=True)
class _Coming:
    """One answer."""

    column: Column
    blocks: Blocks = field(default_factory=Blocks)
    said: str = "…"  # until there is text


class TerminalView:
    """See `chat_answer.View`."""

    pulse_seconds: float | None = 0.1

    def __init__(
        self,
        titles: Sequence[str],
        lines: Lines,
        *,
        size: Callable[[], tuple[int, int]] = shutil.get_terminal_size,
        write: Callable[[str], None] = lambda words: say(words, end=""),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        named = titles if len(titles) > 1 else [""] * len(titles)
        self._coming = [_Coming(column=Column(title=title)) for title in named]
        self._lines = lines
        self._size = size
        self._write = write
        self._clock = clock
        self._columns, _ = size()
        self._beside = len(titles) > 1 and self._columns >= WIDE
        self._painter = Painter()
        self._drawn_at: float | None = None
        self._frame = 0
        encoding = (sys.stdout.encoding or "").lower().replace("-", "")
        self._frames = FRAMES if encoding.startswith("utf") else PLAIN_FRAMES

    def loading(self, place: int, share: float) -> None:
        self._coming[place].said = f"loading {100 * share:.0f} %"
        self._draw()

    def piece(self, place: int, words: str) -> None:
        one = self._coming[place]
        self._look()
        for block in one.blocks.push(text.printable(words)):
            self._complete(one, block)
        now = self._clock()
        if self._drawn_at is None or now - self._drawn_at >= DRAWN_EVERY:
            self._draw()

    def pulse(self) -> None:
        self._frame += 1
        self._draw()

    def ended(self, place: int, *, stopped: bool) -> None:
        one = self._coming[place]
        if stopped:
            one.blocks.open = f"{one.blocks.open.rstrip()} …"
        if one.blocks.open.strip():
            self._complete(one, one.blocks.open)
        one.blocks.open = ""
        one.column.ended = True
        self._draw()

    def close(self) -> None:
        self._draw()

    # ------------------------------------------------------------------- drawing

    @property
    def _width(self) -> int:
        """Of one answer. The last place of a line stays empty: terminals differ in what they do
        there.
        """
        if not self._beside:
            return self._columns - 1
        return (self._columns - 1 - len(BETWEEN)) // 2

    def _look(self) -> int:
        """At the size of the screen, which may have changed; its height."""
        columns, height = self._size()
        if columns != self._columns:
            self._columns = columns
            self._write(self._painter.folded())
        return height

    def _complete(self, one: _Coming, block: str) -> None:
        lines = self._rendered(block)
        if lines and one.column.done:
            one.column.done.append(self._blank)
        one.column.done.extend(lines)

    def _rendered(self, block: str) -> list[str]:
        return self._lines.of(block, self._width, pad=self._beside)

    @property
    def _blank(self) -> str:
        return " " * self._width if self._beside else ""

    def _draw(self) -> None:
        height = self._look()
        for one in self._coming:
            one.column.open = [] if one.column.ended else self._open(one)
        rows = self._rows()
        self._write(self._painter.paint(rows, height))
        self._drawn_at = self._clock()

    def _open(self, one: _Coming) -> list[str]:
        if one.blocks.open.strip():
            before = [self._blank] if one.column.done else []
            return [*before, *self._rendered(one.blocks.open)]
        if one.column.done:
            return []
        waiting = f"{self._frames[self._frame % len(self._frames)]} {one.said}"
        return [waiting.ljust(self._width) if self._beside else waiting]

    def _rows(self) -> Rows:
        columns = [one.column for one in self._coming]
        return side_by_side(columns, self._width) if self._beside else stacked(columns)
