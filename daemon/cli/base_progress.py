"""How far a download or a quantisation is: a bar on a terminal, a line each tenth elsewhere.

All of it goes to stderr. The rate is over what came since the stage began, so a download that goes
on in the middle does not look faster than it is.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from daemon.cli import text

Report = Callable[[int, int], None]
LINE_EVERY = 0.1  # of a stage, where there is no terminal


@contextmanager
def stage(
    words: str,
    unit: str,
    *,
    console: Console | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Report]:
    """Gives what is to be told of done and total; the unit is `bytes` or `tensors`."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield Lines(words, unit, console, clock).report
        return
    with Progress(*_columns(unit), console=console) as progress:
        yield Bar(words, progress).report


def _columns(unit: str) -> tuple[ProgressColumn, ...]:
    counts: tuple[ProgressColumn, ...] = (MofNCompleteColumn(),)
    if unit == "bytes":
        counts = (DownloadColumn(), TransferSpeedColumn())
    return (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *counts,
        TimeRemainingColumn(),
    )


class Bar:
    """A bar that begins where the first report says."""

    def __init__(self, words: str, progress: Progress) -> None:
        self._words = words
        self._progress = progress
        self._task: TaskID | None = None

    def report(self, done: int, total: int) -> None:
        if self._task is None:
            self._task = self._progress.add_task(self._words, total=total, completed=done)
        self._progress.update(self._task, completed=done)


class Lines:
    """A line at the beginning, for each tenth, and at the end."""

    def __init__(self, words: str, unit: str, console: Console, clock: Callable[[], float]) -> None:
        self._words = words
        self._unit = unit
        self._console = console
        self._clock = clock
        self._began: tuple[float, int] | None = None  # when, and with how much
        self._next = 0.0

    def report(self, done: int, total: int) -> None:
        share = done / total if total else 1.0
        if self._began is None:
            self._began = self._clock(), done
            self._next = share
        if share < self._next:
            return
        self._next = 1.0 if share < 1 <= share + LINE_EVERY else share + LINE_EVERY
        line = " · ".join([f"{self._words} {100 * share:.0f} %", *self._details(done, total)])
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _details(self, done: int, total: int) -> list[str]:
        assert self._began is not None
        if self._unit != "bytes":
            return [f"{text.count(done)} of {text.count(total)} {self._unit}"]
        details = [f"{text.size(done)} of {text.size(total)}"]
        seconds, came = self._clock() - self._began[0], done - self._began[1]
        if seconds > 0 and came > 0 and done < total:
            rate = came / seconds
            details += [f"{text.size(rate)}/s", f"{text.duration((total - done) / rate)} left"]
        return details
