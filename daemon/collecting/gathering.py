"""Gathering from one source: find, wait for rest, read, redact, keep; and what was left out.

Knows nothing of when this is to be done, nor of hints and watches.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain, islice

from daemon.collecting.batching import ReadBatch, read_batches, stamp_of
from daemon.collecting.clock import Clock
from daemon.collecting.leaving_out import LeftOut
from daemon.collecting.moves import Gone, take_along
from daemon.collecting.reports import ScanCounts, ScanProgress
from daemon.collecting.settling import Unsettled, settle
from daemon.collecting.skipping import Skipped, SkipReason
from daemon.collecting.source import FoundFile, Source, Staying, Stoppable, kept_path
from daemon.collecting.store import (
    DUPLICATE,
    FORGOTTEN,
    STORED,
    DocumentStore,
    PutResult,
)
from daemon.collecting.twins import Twins
from daemon.collecting.vanishing import Vanishing, is_away
from daemon.collecting.whereabouts import is_gone
from storage.records import RedactedDocument

SCAN_FILES = 2000  # looked at in one go
MOST_UNSETTLED = 10_000

Progress = Callable[[ScanProgress], None]
MOVED = "moved"  # besides the outcomes of the store


class Gatherer:
    """One source's way into the store. Used by one task at a time."""

    def __init__(
        self,
        source: Source,
        *,
        store: DocumentStore,
        settle_seconds: float,
        clock: Clock,
        progress: Progress | None,
        gone: Gone | None = None,
        may_remove: Callable[[], bool] = lambda: True,
    ) -> None:
        self._may_remove = may_remove
        self._gone = gone or (lambda _, path: is_gone(self._source.folder, path))
        self._adopt(source)
        self._name = source.settings.name
        self._store = store
        self._settle_seconds = settle_seconds
        self._clock = clock
        self._progress = progress

        self.documents = 0
        self.last_scan_at: float | None = None
        self.too_much_moves_until: float | None = None  # then everything is to be scanned again
        self.stopped = False  # True ends a scan at the next few hundred files
        self._left_out = LeftOut()
        self._knows_some = True  # whether a file may have been seen as it is now
        self._totals: tuple[int, int] | None = None
        self.scanning: ScanProgress | None = None  # while everything is scanned
        self._vanishing = Vanishing()
        self._twins = Twins(store, self._gone)
        self._copies: list[FoundFile] = []  # met in this look
        self._unsettled: dict[str, Unsettled] = {}
        self._swept = b""  # the exclusions that the store was last looked through for

    def use(self, source: Source) -> None:
        """Go on with the same place under other rules."""
        self._adopt(source)
        self._swept = b""

    def _adopt(self, source: Source) -> None:
        self._source = source
        if isinstance(source, Stoppable):
            source.stopped = lambda: self.stopped

    # ----------------------------------------------------------------------- what is known

    @property
    def skipped(self) -> dict[SkipReason, int]:
        counts = self._left_out.counts
        counts[SkipReason.CHANGING] += len(self._unsettled)
        return {reason: count for reason, count in sorted(counts.items()) if count}

    def failed(self, most: int) -> list[Skipped]:
        """Files and folders that could not be read, and why; no more than `most`."""
        return self._left_out.failed(most)

    @property
    def look_again_at(self) -> float | None:
        """When a scan of everything can tell more of files that went."""
        return self._vanishing.look_again_at

    def forget_vanished(self) -> None:
        self._vanishing.clear()

    def moving(self) -> dict[str, float]:
        """Files that were being written, and when each should have come to rest."""
        return {path: one.look_again_at for path, one in self._unsettled.items()}

    def forget_moving(self) -> None:
        self._unsettled.clear()

    # ----------------------------------------------------------------------- finding

    async def scan_everything(self) -> ScanCounts:
        """All of the source; what was remembered and has not changed is not read."""
        self.scanning = ScanProgress(
            source=self._name,
            files=0,
            bytes=0,
            total_files=self._totals[0] if self._totals else None,
            total_bytes=self._totals[1] if self._totals else None,
            begun_at=self._clock.now(),
        )
        try:
            return await self._scan_everything()
        finally:
            self.scanning = None

    async def _scan_everything(self) -> ScanCounts:
        self._left_out.begin()
        self.too_much_moves_until = None
        self._knows_some = await self._store.knows(self._name)
        counts = ScanCounts()
        finds = self._source.scan()
        met: set[str] = set()
        skipped: set[str] = set()
        drops = not self._source.settings.keep_deleted
        while not self.stopped:
            some = await asyncio.to_thread(_take, finds)
            if not some:
                break
            files = self._left_out.sort_out(some, scanning=True)
            if drops:
                met.update(kept_path(file.path) for file in files)
                skipped.update(kept_path(one.path) for one in some if isinstance(one, Skipped))
            old, new = _parted(files, self._left_out.still)
            self._pass_by(old)
            counts = sum_counts((counts, await self._collect(new, scanning=True)))
            counts = replace(counts, files=counts.files + len(files) - len(new))
        counts = sum_counts((counts, await self._look_at_copies()))
        self._left_out.end(whole=not self.stopped)
        if not self.stopped:
            assert self.scanning is not None
            self._totals = (counts.files, self.scanning.bytes)
            self.last_scan_at = self._clock.now()
            if drops:
                await self._drop_vanished(met, skipped)
            exclusions = self._source.exclusions()
            if exclusions != self._swept:
                await self.sweep()
                self._swept = exclusions
        self.documents = await self._store.count(self._name)
        return replace(counts, skipped=self._left_out.met)

    async def sweep(self) -> int:
        """Remove what was kept and is excluded now; how many documents."""
        self._swept = b""
        removed = await self._store.sweep(self._name, self._source.excludes)
        self.documents = await self._store.count(self._name)
        return removed

    async def look_at(self, paths: Iterable[str]) -> ScanCounts:
        """Files and folders that something was said about, as they are now."""
        counts = ScanCounts()
        drops = not self._source.settings.keep_deleted
        finds = chain.from_iterable(self._source.scan(path) for path in sorted(paths))
        while some := await asyncio.to_thread(_take, finds):
            unique = {find.path: find for find in some}  # a file may be named by its folder too
            for find in unique.values():
                self._left_out.drop(find.path)
                if isinstance(find, Skipped):
                    self._unsettled.pop(find.path, None)
                    if find.reason is SkipReason.VANISHED and drops:
                        self._vanishing.hear(self._clock.now())
            files = self._left_out.sort_out(unique.values(), scanning=False)
            counts = sum_counts((counts, await self._collect(files, scanning=False)))
        counts = sum_counts((counts, await self._look_at_copies()))
        if counts.files:
            self.documents = await self._store.count(self._name)
        return counts

    async def _drop_vanished(self, met: set[str], left_out: set[str]) -> None:
        """Documents go whose files were away at two looks, the last of them a moment ago."""
        if not self._may_remove():
            self._vanishing.postpone(self._clock.now())
            return
        others = await self._store.not_among(self._name, met)
        folder = self._source.folder

        def away() -> list[str]:
            unmet = [path for path in others if is_away(path, met, left_out)]
            return [path for path in unmet if is_gone(folder, path)]

        paths = await asyncio.to_thread(away)
        gone = self._vanishing.look(paths, files=len(met), now=self._clock.now())
        if gone:
            await self._store.remove(self._name, gone, deleted=True)

    # ----------------------------------------------------------------------- reading and keeping

    async def _collect(self, files: list[FoundFile], *, scanning: bool) -> ScanCounts:
        """Read and keep those of the files that are at rest and not known.

        Args:
            scanning: everything; else a change was announced, and what is remembered does not
                count.
        """
        wanted = self._at_rest(files)
        known: list[FoundFile] = []
        twins: set[FoundFile] = set()  # files with a duplicate in them are not remembered
        copies: list[FoundFile] = []
        if scanning and wanted:
            if self._knows_some:
                stamps = {kept_path(f.path): stamp_of(f.size, f.mtime_ns) for f in wanted}
                paths = await self._store.unchanged(self._name, stamps)
                known, wanted = _parted(wanted, lambda file: kept_path(file.path) in paths)
                self._pass_by(known)
            copies, wanted = _parted(wanted, self._twins.noted)
            if wanted and self._totals is None:
                await self._measure()
        counts = ScanCounts(files=len(files), unchanged=len(known))
        counts = sum_counts((counts, await self._read(wanted, twins, scanning=scanning)))
        self._pass_by(copies)
        self._copies += copies
        return replace(counts, duplicates=counts.duplicates + len(copies))

    async def _look_at_copies(self) -> ScanCounts:
        """When all others are read: of some the text may be nowhere else any more."""
        copies, self._copies = self._copies, []
        again = await self._twins.wanted_again(copies)
        counts = await self._read(again, set(), scanning=False)
        return replace(counts, duplicates=counts.duplicates - len(again))

    async def _read(
        self, files: list[FoundFile], twins: set[FoundFile], *, scanning: bool
    ) -> ScanCounts:
        counts = ScanCounts()
        batches = read_batches(self._source, files, stopped=lambda: self.stopped)
        while files and (batch := await asyncio.to_thread(self._next, batches)) is not None:
            counts = sum_counts((counts, await self._keep(batch, twins)))
            if scanning:
                self._pass_by((*batch.finished, *batch.skipped))
                self._tell()
        return counts

    def _next(self, batches: Iterator[ReadBatch]) -> ReadBatch | None:
        """In a thread."""
        source = self._source
        with source.staying() if isinstance(source, Staying) else nullcontext():
            return next(batches, None)

    def _at_rest(self, files: list[FoundFile]) -> list[FoundFile]:
        """Those of the files that may be read; the others are waited for."""
        now, resting = self._clock.now(), []
        for file in files:
            before = self._unsettled.pop(file.path, None)
            waiting = settle(file, before, now=now, settle_seconds=self._settle_seconds)
            if waiting is None:
                resting.append(file)
            else:
                self._wait_for(waiting)
        return resting

    def _wait_for(self, moving: Unsettled) -> None:
        if len(self._unsettled) < MOST_UNSETTLED:
            self._unsettled[moving.file.path] = moving
        else:
            self.too_much_moves_until = moving.look_again_at

    async def _keep(self, batch: ReadBatch, twins: set[FoundFile]) -> ScanCounts:
        outcomes: Counter[str] = Counter()
        if batch.documents:
            results = await self._store.put_many(batch.documents)
            outcomes.update(str(result.outcome) for result in results)
            moved = await self._take_along(batch, results)
            outcomes.update({MOVED: len(moved), DUPLICATE: -len(moved)})
            for place, (file, put) in enumerate(zip(batch.origins, results)):
                if put.outcome != DUPLICATE or place in moved:
                    continue
                # a file of many documents, two of them alike, is not read again for that
                if batch.documents[place].path == kept_path(file.path):
                    twins.add(file)
                    if put.document_id is not None and file in batch.finished:
                        self._twins.note(file.path, batch.finished[file], put.document_id)
                        self._copies.append(file)
        remembered = {
            kept_path(file.path): stamp
            for file, stamp in batch.finished.items()
            if file not in twins
        }
        if remembered:
            await self._store.remember(self._name, remembered)
        for file, content in batch.read.items():
            self._left_out.add_inside(file, content.left_out)
            if content.when_kept is not None:
                content.when_kept()
        marked = [file for file, why in batch.skipped.items() if why is SkipReason.MARKED]
        if marked:
            await self._store.remove(self._name, [kept_path(file.path) for file in marked])
        for file, reason in batch.skipped.items():
            self._leave_out(file, reason)
        return ScanCounts(
            stored=sum(outcomes[outcome] for outcome in STORED),
            duplicates=outcomes[DUPLICATE],
            forgotten=outcomes[FORGOTTEN],
            skipped=len(batch.skipped),
            bytes=batch.bytes_read,
            moved=outcomes[MOVED],
        )

    async def _take_along(self, batch: ReadBatch, results: Sequence[PutResult]) -> set[int]:
        """The places in the batch of documents whose files were only moved."""
        first: dict[int, int] = {}  # of two copies of a moved file one is where it is now
        for place, put in enumerate(results):
            if put.outcome == DUPLICATE and put.document_id is not None:
                first.setdefault(put.document_id, place)
        twins: dict[int, RedactedDocument] = {n: batch.documents[p] for n, p in first.items()}
        return {first[number] for number in await take_along(self._store, twins, self._gone)}

    def _leave_out(self, file: FoundFile, reason: SkipReason) -> None:
        if reason is SkipReason.CHANGING:
            wait = self._settle_seconds
            again = Unsettled(file=file, look_again_at=self._clock.now() + wait, wait_seconds=wait)
            self._wait_for(again)
        else:
            self._left_out.add(file, reason)

    async def _measure(self) -> None:
        """How much there is, before the first file is read."""
        self._totals = files, size = await asyncio.to_thread(_measure, self._source)
        if self.scanning is not None:
            self.scanning = replace(self.scanning, total_files=files, total_bytes=size)

    def _pass_by(self, files: Iterable[FoundFile]) -> None:
        """These are done with, in the scan of everything."""
        if self.scanning is not None:
            sizes = [file.size for file in files]
            self.scanning = replace(
                self.scanning,
                files=self.scanning.files + len(sizes),
                bytes=self.scanning.bytes + sum(sizes),
            )

    def _tell(self) -> None:
        if self._progress is not None and self.scanning is not None:
            self._progress(self.scanning)


def _parted(
    files: list[FoundFile], fits: Callable[[FoundFile], bool]
) -> tuple[list[FoundFile], list[FoundFile]]:
    """Those that fit, and the others."""
    fitting = [file for file in files if fits(file)]
    if not fitting:
        return [], files
    apart = set(fitting)
    return fitting, [file for file in files if file not in apart]


def _take(finds: Iterator[FoundFile | Skipped]) -> list[FoundFile | Skipped]:
    return list(islice(finds, SCAN_FILES))


def _measure(source: Source) -> tuple[int, int]:
    """Files and bytes that a scan will meet; a walk without opening anything."""
    files = size = 0
    for find in source.scan():
        if isinstance(find, FoundFile):
            files += 1
            size += find.size
    return files, size


def sum_counts(counts: Iterable[ScanCounts]) -> ScanCounts:
    total = ScanCounts()
    for one in counts:
        total = ScanCounts(
            files=total.files + one.files,
            unchanged=total.unchanged + one.unchanged,
            stored=total.stored + one.stored,
            duplicates=total.duplicates + one.duplicates,
            forgotten=total.forgotten + one.forgotten,
            skipped=total.skipped + one.skipped,
            bytes=total.bytes + one.bytes,
            moved=total.moved + one.moved,
        )
    return total
