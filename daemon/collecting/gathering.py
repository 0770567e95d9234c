"""Gathering from one source: find, wait for rest, read, redact, keep; and what was left out.

Knows nothing of when this is to be done, nor of hints and watches.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from daemon.collecting.batching import ReadBatch, read_batches, stamp_of
from daemon.collecting.clock import Clock
from daemon.collecting.reports import ScanCounts, ScanProgress
from daemon.collecting.settling import Unsettled, settle
from daemon.collecting.skipping import Skipped, SkipReason
from daemon.collecting.source import FoundFile, Source, kept_path
from daemon.collecting.store import DUPLICATE, FORGOTTEN, STORED, DocumentStore, FileStamp

SCAN_FILES = 500  # looked at in one go
MOST_UNSETTLED = 10_000

# Reasons that lie in a file; noted with its stamp, so that it is not read in vain again.
_OF_CONTENT = frozenset(
    {
        SkipReason.TOO_LARGE,
        SkipReason.EMPTY,
        SkipReason.MARKED,
        SkipReason.BINARY,
        SkipReason.UNREADABLE,
        SkipReason.NOT_REGULAR,
        SkipReason.SYMLINK,
    }
)

Progress = Callable[[ScanProgress], None]
_LeftOut = dict[str, tuple[FileStamp, SkipReason]]


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
    ) -> None:
        self._source = source
        self._name = source.settings.name
        self._store = store
        self._settle_seconds = settle_seconds
        self._clock = clock
        self._progress = progress

        self.documents = 0
        self.last_scan_at: float | None = None
        self.too_much_moves_until: float | None = None  # then everything is to be scanned again
        self.stopped = False  # True ends a scan at the next few hundred files
        self._places_skipped: Counter[SkipReason] = Counter()
        self._files_skipped: _LeftOut = {}
        self._totals: tuple[int, int] | None = None
        self._unsettled: dict[str, Unsettled] = {}
        self._swept = b""  # the exclusions that the store was last looked through for

    def use(self, source: Source) -> None:
        """Go on with the same place under other rules."""
        self._source = source
        self._swept = b""

    # ----------------------------------------------------------------------- what is known

    @property
    def skipped(self) -> dict[SkipReason, int]:
        counts = Counter(reason for _, reason in self._files_skipped.values())
        counts += self._places_skipped
        counts[SkipReason.CHANGING] += len(self._unsettled)
        return {reason: count for reason, count in sorted(counts.items()) if count}

    def moving(self) -> dict[str, float]:
        """Files that were being written, and when each should have come to rest."""
        return {path: one.look_again_at for path, one in self._unsettled.items()}

    def forget_moving(self) -> None:
        self._unsettled.clear()

    # ----------------------------------------------------------------------- finding

    async def scan_everything(self) -> ScanCounts:
        """All of the source; what was remembered and has not changed is not read."""
        if self._progress is not None and self._totals is None:
            self._totals = await asyncio.to_thread(_measure, self._source)
        before, self._files_skipped = self._files_skipped, {}
        self.too_much_moves_until = None
        places: Counter[SkipReason] = Counter()
        counts = ScanCounts()
        finds = self._source.scan()
        while not self.stopped:
            some = await asyncio.to_thread(_take, finds)
            if not some:
                break
            files = self._sort_out(some, places)
            new = [file for file in files if not self._still_skipped(file, before)]
            counts = sum_counts((counts, await self._collect(new, begun=counts)))
            counts = replace(counts, files=counts.files + len(files) - len(new))
        if not self.stopped:
            self._places_skipped = places
            self._totals = (counts.files, self._totals[1]) if self._totals else None
            self.last_scan_at = self._clock.now()
            exclusions = self._source.exclusions()
            if exclusions != self._swept:
                await self.sweep()
                self._swept = exclusions
        self.documents = await self._store.count(self._name)
        return replace(counts, skipped=places.total() + len(self._files_skipped))

    async def sweep(self) -> int:
        """Remove what was kept and is excluded now; how many documents."""
        self._swept = b""
        removed = await self._store.sweep(self._name, self._source.excludes)
        self.documents = await self._store.count(self._name)
        return removed

    async def look_at(self, paths: Iterable[str]) -> ScanCounts:
        """Files and folders that something was said about, as they are now."""
        counts = ScanCounts()
        finds = chain.from_iterable(self._source.scan(path) for path in sorted(paths))
        while some := await asyncio.to_thread(_take, finds):
            unique = {find.path: find for find in some}  # a file may be named by its folder too
            for find in unique.values():
                self._files_skipped.pop(find.path, None)
                if isinstance(find, Skipped):
                    self._unsettled.pop(find.path, None)
            files = self._sort_out(list(unique.values()), Counter())
            counts = sum_counts((counts, await self._collect(files, begun=None)))
        if counts.files:
            self.documents = await self._store.count(self._name)
        return counts

    def _sort_out(
        self, finds: Sequence[FoundFile | Skipped], places: Counter[SkipReason]
    ) -> list[FoundFile]:
        """The files among the finds; the others are counted."""
        places.update(find.reason for find in finds if isinstance(find, Skipped))
        return [find for find in finds if isinstance(find, FoundFile)]

    def _still_skipped(self, file: FoundFile, before: _LeftOut) -> bool:
        """Whether a file's content was of no use and has not changed since: it is not read."""
        known = before.get(file.path)
        if known is None or known[0] != stamp_of(file.size, file.mtime_ns):
            return False
        if known[1] is SkipReason.UNREADABLE:
            return False  # a permission can be given without a change of the file
        self._files_skipped[file.path] = known
        return True

    # ----------------------------------------------------------------------- reading and keeping

    async def _collect(self, files: list[FoundFile], *, begun: ScanCounts | None) -> ScanCounts:
        """Read and keep those of the files that are at rest and not known.

        Args:
            begun: the counts of the scan so far, for its progress; None outside of a scan, where
                a change was announced and what is remembered does not count.
        """
        resting = [file for file in files if self._is_at_rest(file)]
        known: set[str] = set()
        if begun is not None and resting:
            stamps = {kept_path(f.path): stamp_of(f.size, f.mtime_ns) for f in resting}
            known = await self._store.unchanged(self._name, stamps)
        wanted = [file for file in resting if kept_path(file.path) not in known]
        counts = ScanCounts(files=len(files), unchanged=len(known))
        twins: set[FoundFile] = set()  # files with a duplicate in them are not remembered
        done = len(known)
        batches = read_batches(self._source, wanted)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            counts = sum_counts((counts, await self._keep(batch, twins)))
            done += len(batch.finished)
            self._tell(begun, counts, done=done)
        return counts

    def _is_at_rest(self, file: FoundFile) -> bool:
        before = self._unsettled.pop(file.path, None)
        waiting = settle(
            file,
            before,
            now=self._clock.now(),
            settle_seconds=self._settle_seconds,
        )
        if waiting is None:
            return True
        self._wait_for(waiting)
        return False

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
            twins.update(
                file for file, put in zip(batch.origins, results) if put.outcome == DUPLICATE
            )
        remembered = {
            kept_path(file.path): stamp
            for file, stamp in batch.finished.items()
            if file not in twins
        }
        if remembered:
            await self._store.remember(self._name, remembered)
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
        )

    def _leave_out(self, file: FoundFile, reason: SkipReason) -> None:
        if reason is SkipReason.CHANGING:
            wait = self._settle_seconds
            again = Unsettled(file=file, look_again_at=self._clock.now() + wait, wait_seconds=wait)
            self._wait_for(again)
        elif reason in _OF_CONTENT:
            self._files_skipped[file.path] = (stamp_of(file.size, file.mtime_ns), reason)

    def _tell(self, begun: ScanCounts | None, counts: ScanCounts, *, done: int) -> None:
        if self._progress is None or begun is None:
            return
        files, size = self._totals or (None, None)
        self._progress(
            ScanProgress(
                source=self._name,
                files=begun.files + done,
                bytes=begun.bytes + counts.bytes,
                total_files=files,
                total_bytes=size,
            )
        )


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
        )
    return total
