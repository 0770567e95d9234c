"""A night as it is watched: a bar for each stage on a terminal, plain lines elsewhere.

Takes the service's progress lines from any iterator; knows nothing of sockets.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from daemon.cli import text
from daemon.cli.output import Json

STAGE_WORDS = {
    "waiting": "waiting",
    "preparing": "preparing the text",
    "training": "training",
    "yielding": "yielding to you",
    "judging": "judging the result",
    "publishing": "publishing",
    "vault": "creating a vault",
    "service": "starting",
    "collecting": "collecting notes",
    "asking": "asking both models",
}
LINE_EVERY = 0.1  # of a stage, where there is no terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of progress, read leniently: a newer service may say more."""

    state: str
    share: float | None  # of the stage, 0 to 1
    detail: str


def read_step(line: Json) -> Step:
    """What a line of progress says."""
    parts = []
    if line.get("step") is not None and line.get("steps"):
        parts.append(f"step {line['step']}/{line['steps']}")
    if line.get("loss") is not None:
        parts.append(f"loss {line['loss']:.3f}")
    if line.get("tokens_per_second"):
        parts.append(f"{line['tokens_per_second']:,.0f} tokens/s")
    share = line.get("stage_progress")
    return Step(
        state=text.value(line.get("state")),
        share=None if share is None else min(1.0, max(0.0, float(share))),
        detail=" · ".join(parts),
    )


def watch_night(progress: Iterable[Json], console: Console | None = None) -> Json:
    """Shows the progress until the night ends; returns its log entry (empty if none came)."""
    entry: Json = {}
    with night_display(console or Console()) as display:
        for line in progress:
            if "night" in line:
                entry = line["night"]
            else:
                display.show(read_step(line))
    return entry


class Display(Protocol):
    """Where steps are shown."""

    def show(self, step: Step) -> None: ...


@contextmanager
def night_display(console: Console) -> Iterator[Display]:
    """Bars on a terminal, lines elsewhere."""
    if not console.is_terminal:
        yield Lines(console)
        return
    with bars(console) as progress:
        display = Bars(progress)
        yield display
        display.finish()


def bars(console: Console) -> Progress:
    """The bars that the night and the demo share."""
    return Progress(
        TextColumn("{task.description:<18}"),
        BarColumn(bar_width=28),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[detail]}"),
        console=console,
    )


class Bars:
    """One bar for each stage; a stage is full when the next one begins."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._state: str | None = None
        self._task: TaskID | None = None

    def show(self, step: Step) -> None:
        if step.state != self._state:
            self.finish()
            words = STAGE_WORDS.get(step.state, step.state)
            self._task = self._progress.add_task(words, total=None, detail="")
            self._state = step.state
        if self._task is None:
            return
        if step.share is not None:
            self._progress.update(self._task, total=1.0, completed=step.share)
        self._progress.update(self._task, detail=step.detail)

    def finish(self) -> None:
        if self._task is not None:
            self._progress.update(self._task, total=1.0, completed=1.0)


class Lines:
    """A line when a stage begins and for each tenth of it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._state: str | None = None
        self._next_share = 0.0

    def show(self, step: Step) -> None:
        if step.state != self._state:
            self._state = step.state
            self._next_share = LINE_EVERY
            self._say(STAGE_WORDS.get(step.state, step.state), step.detail)
        elif step.share is not None and step.share >= self._next_share:
            self._next_share = step.share + LINE_EVERY
            words = STAGE_WORDS.get(step.state, step.state)
            self._say(f"{words} {100 * step.share:.0f} %", step.detail)

    def _say(self, words: str, detail: str) -> None:
        self._console.print(
            f"{words} · {detail}" if detail else words, markup=False, highlight=False
        )
