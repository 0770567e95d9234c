"""How far the reading of sources is: a bar on a terminal, a line each tenth elsewhere, sentences.

Takes the service's lines from any iterator; knows nothing of sockets.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from daemon.cli import text
from daemon.cli.output import Json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

LINE_EVERY = 0.1  # of the files, where there is no terminal


def watch_scan(lines: Iterable[Json], name: str, console: "Console | None" = None) -> Json:
    """Shows the progress until the scan ends; returns the last line (empty if none came)."""
    from rich.console import Console  # `status` and `list` have to be quick

    last: Json = {}
    with _display(name, console or Console(stderr=True)) as display:
        for line in lines:
            if "progress" in line:
                display.show(line["progress"])
            else:
                last = line
    return last


class _Display(Protocol):
    def show(self, facts: Json) -> None: ...


@contextmanager
def _display(name: str, console: "Console") -> Iterator[_Display]:
    from rich.progress import BarColumn, Progress, TextColumn

    if not console.is_terminal:
        yield _Lines(name, console)
        return
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        TextColumn("{task.fields[detail]}", markup=False),
        console=console,
        transient=True,
    ) as progress:
        yield _Bar(name, progress)


class _Bar:
    def __init__(self, name: str, progress: "Progress") -> None:
        self._progress = progress
        self._task = progress.add_task(text.value(name), total=None, detail="")

    def show(self, facts: Json) -> None:
        total = facts.get("total_files")
        done = facts.get("files") or 0
        self._progress.update(self._task, total=total, completed=done, detail=how_far(facts))


class _Lines:
    def __init__(self, name: str, console: "Console") -> None:
        self._name = text.value(name)
        self._console = console
        self._next = LINE_EVERY

    def show(self, facts: Json) -> None:
        share = (facts.get("files") or 0) / (facts.get("total_files") or float("inf"))
        if share >= self._next:
            self._next = share + LINE_EVERY
            line = f"{self._name} {100 * share:.0f} % · {how_far(facts)}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def how_far(facts: Json) -> str:
    """Files, bytes, per second, left: as much of it as is known."""
    files, size = text.count(facts.get("files")), text.size(facts.get("bytes"))
    if facts.get("total_files") is not None:
        files += f" of {text.count(facts['total_files'])}"
    if facts.get("total_bytes") is not None:
        size += f" of {text.size(facts['total_bytes'])}"
    parts = [f"{files} files", size]
    if facts.get("bytes_per_second"):
        parts.append(f"{text.size(facts['bytes_per_second'])}/s")
    if facts.get("seconds_left") is not None:
        parts.append(f"{text.duration(facts['seconds_left'])} left")
    return ", ".join(parts)


def scan_sentences(answer: Json) -> list[str]:
    """What `nightloom status` says about sources that are being read."""
    return [
        f"Source {text.value(one.get('source'))} is being read: {how_far(one)}."
        for one in answer.get("collecting") or ()
    ]


def scanned_text(name: str, last: Json) -> str:
    """What came of the first look at everything in a source."""
    source, counts = last.get("source") or {}, last.get("counts")
    if counts is None:
        why = source.get("last_error") or f"It is {text.value(source.get('state'))} now."
        return f"Source {text.value(name)} is added; it is read when it can be. {text.value(why)}"
    said = (
        f"Source {text.value(name)} is added and read: "
        f"{text.plural(counts.get('stored'), 'new document')} from "
        f"{text.plural(counts.get('files'), 'file')}"
    )
    if counts.get("duplicates"):
        said += f", {text.count(counts['duplicates'])} known already from elsewhere"
    if counts.get("skipped"):
        said += f"; {text.count(counts['skipped'])} left out (`nightloom privacy sources list`)"
    return said + "."
