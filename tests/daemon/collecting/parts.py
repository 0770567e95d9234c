"""What the tests of collecting are made of: a store in memory, a clock by hand, a real folder."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.collecting.collector import Collector
from daemon.collecting.folder_source import FolderSource
from daemon.collecting.hinting import Changed, Concerns, HintHandler
from daemon.collecting.reports import ScanProgress, SourceState
from daemon.collecting.skipping import SkipReason
from daemon.collecting.source import FoundFile, ReadFile, Source
from daemon.collecting.store import FileStamp
from daemon.collecting.watching import Watcher, WhyPolled
from daemon.config import CollectSettings
from storage.moving import Move
from storage.records import RedactedDocument, SourceSettings

LIMIT = 10 << 20
LONG_AGO = 1_700_000_000


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds; the cap on a test's time ends the waiting else."""
    while not condition():  # noqa: ASYNC110 - conditions of real files and threads
        await asyncio.sleep(0.002)


@dataclass(frozen=True)
class Put:
    outcome: str
    document_id: int | None = None


class MemoryStore:
    """Behaves as the vault does: items by path, twins by text, stamps by path."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.batches: list[list[RedactedDocument]] = []
        self.stamps: dict[str, FileStamp] = {}
        self.numbers: dict[str, int] = {}  # of documents, by path
        self.broken: Exception | None = None

    async def put_many(self, documents: list[RedactedDocument]) -> Sequence[Put]:
        if self.broken is not None:
            raise self.broken
        self.batches.append(documents)
        return [self._put(document) for document in documents]

    def _put(self, document: RedactedDocument) -> Put:
        before = self.texts.get(document.path)
        if before == document.text:
            return Put("unchanged")
        twin = next((path for path, text in self.texts.items() if text == document.text), None)
        if twin is not None:
            return Put("duplicate", self.numbers[twin])
        self.texts[document.path] = document.text
        self.numbers[document.path] = 1 + max(self.numbers.values(), default=0)
        return Put("stored" if before is None else "new_version")

    async def has_room(self) -> bool:
        return self.broken is None

    async def remove(self, source: str, paths: Sequence[str], *, deleted: bool = False) -> int:
        gone = [path for path in paths if self.texts.pop(path, None) is not None]
        for path in gone:
            self.stamps.pop(path, None)
        return len(gone)

    async def sweep(self, source: str, unwanted: Callable[[str], bool]) -> int:
        return await self.remove(source, [path for path in self.texts if unwanted(path)])

    async def knows(self, source: str) -> bool:
        return bool(self.stamps)

    async def unchanged(self, source: str, stamps: Mapping[str, FileStamp]) -> set[str]:
        return {path for path, stamp in stamps.items() if self.stamps.get(path) == stamp}

    async def remember(self, source: str, stamps: Mapping[str, FileStamp]) -> None:
        self.stamps.update(stamps)

    async def places(self, documents: Collection[int]) -> dict[int, tuple[str, str]]:
        by_number = {number: path for path, number in self.numbers.items()}
        return {n: ("notes", by_number[n]) for n in documents if n in by_number}

    async def move(self, moves: Sequence[Move]) -> set[int]:
        for one in moves:
            before = next(path for path, n in self.numbers.items() if n == one.document_id)
            self.texts[one.path] = self.texts.pop(before)
            self.numbers[one.path] = self.numbers.pop(before)
            self.stamps.pop(before, None)
        return {one.document_id for one in moves}

    async def not_among(self, source: str, paths: Collection[str]) -> list[str]:
        return [path for path in self.texts if path not in paths]

    async def count(self, source: str) -> int:
        return len(self.texts)


class HandClock:
    """Time goes on only when the test says so."""

    def __init__(self) -> None:
        self.time = time.time() + 3600.0  # what the test writes now was at rest for long
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        due = asyncio.Event()
        self._sleepers.append((self.time + seconds, due))
        await due.wait()

    def advance(self, seconds: float) -> None:
        self.time += seconds
        for until, due in self._sleepers:
            if until <= self.time:
                due.set()
        self._sleepers = [one for one in self._sleepers if one[0] > self.time]


class NoWatcher:
    """A system without file events, as far as the collector can see."""

    def watch(
        self,
        name: str,
        folder: Path,
        *,
        concerns: Concerns,
        hint: HintHandler,
        below: bool = True,
    ) -> bool:
        return False

    def unwatch(self, name: str) -> None:
        pass

    def is_watched(self, name: str) -> bool:
        return False

    def why_polled(self, name: str) -> WhyPolled | None:
        return WhyPolled.NO_EVENTS

    def close(self) -> None:
        pass


class ReadCounter(FolderSource):
    """A real folder source that notes what it opens."""

    reads: list[str]
    breaks_on: set[str]

    def read(self, file: FoundFile) -> ReadFile | SkipReason:
        self.reads.append(file.path)
        if file.path in self.breaks_on:
            raise RecursionError("a reader with a defect")
        return super().read(file)


class Gathering:
    """A collector at work, and everything around it."""

    def __init__(self, folder: Path, collector: Collector, store: MemoryStore) -> None:
        self.folder = folder
        self.collector = collector
        self.store = store
        self.clock = HandClock()
        self.reads: list[str] = []
        self.breaks_on: set[str] = set()
        self.progress: list[ScanProgress] = []

    @property
    def texts(self) -> dict[str, str]:
        return self.store.texts

    async def until(self, condition: Callable[[], bool], *, ticking: bool = True) -> None:
        """Let things happen until the condition holds; the time cap of the test ends it else."""

        def holds() -> bool:
            if ticking:
                self.clock.advance(0.5)
            return condition()

        await until(holds)

    async def expect_texts(self, texts: dict[str, str]) -> None:
        """Exactly these are collected in the end, though time stands still."""
        await self.until(lambda: self.texts == texts, ticking=False)

    async def expect_state(self, state: SourceState) -> None:
        """The source is reported so in the end, though time stands still."""
        await self.until(lambda: self.collector.report("notes").state is state, ticking=False)

    def hint(self, path: str, *, is_folder: bool = False) -> None:
        """What a watcher would say."""
        self.collector._followers["notes"].hint(Changed(path=path, is_folder=is_folder))

    async def rescan(self) -> None:
        """A rescan, with time going on beside it."""
        scan = asyncio.ensure_future(self.collector.rescan())
        await self.until(scan.done)
        await scan


def source_settings(folder: Path, **more: Any) -> SourceSettings:
    return SourceSettings(name="notes", kind="folder", path=str(folder), **more)


@asynccontextmanager
async def gathering(
    folder: Path,
    *,
    store: MemoryStore | None = None,
    watcher: Watcher | None = None,
    settings: CollectSettings | None = None,
    add: bool = True,
    **source: Any,
) -> AsyncIterator[Gathering]:
    """A collector with a clock by hand, following one folder."""
    kept = store or MemoryStore()
    clock = HandClock()
    progress: list[ScanProgress] = []
    reads: list[str] = []
    breaks_on: set[str] = set()

    def make(chosen: SourceSettings) -> Source:
        counter = ReadCounter(chosen, most_bytes=LIMIT)
        counter.reads, counter.breaks_on = reads, breaks_on
        return counter

    collector = Collector(
        store=kept,
        settings=settings or CollectSettings(),
        clock=clock,
        watcher=watcher or NoWatcher(),
        make=make,
        progress=progress.append,
    )
    run = Gathering(folder, collector, kept)
    run.clock, run.reads, run.breaks_on, run.progress = clock, reads, breaks_on, progress
    try:
        if add:
            collector.add(source_settings(folder, **source))
        yield run
    finally:
        await collector.close()


def write(path: Path, text: str | bytes, *, age: float = 0.0) -> Path:
    """A file that was last changed `age` seconds after a moment long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    os.utime(path, (LONG_AGO + age, LONG_AGO + age))
    return path
