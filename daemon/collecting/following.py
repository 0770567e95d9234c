"""Following one source: when to look, what to read, what to report.

One task per source. It wakes for hints, for files that should have come to rest, for a rescan that
somebody asked for, and now and then to see whether the folder is still there.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from daemon.collecting.batching import ReadBatch, read_batches, stamp_of
from daemon.collecting.clock import Clock
from daemon.collecting.folder_source import kept_path
from daemon.collecting.reports import ScanCounts, ScanProgress, SourceReport, SourceState
from daemon.collecting.settling import Unsettled, settle
from daemon.collecting.skipping import Skipped, SkipReason
from daemon.collecting.source import FoundFile, Source
from daemon.collecting.store import DUPLICATE, FORGOTTEN, STORED, DocumentStore, FileStamp
from daemon.collecting.watching import Changed, EventsLost, Hint, Watcher
from daemon.config import CollectSettings
from daemon.errors import SourceError
from storage.errors import StorageError

log = logging.getLogger(__name__)

SCAN_FILES = 500  # looked at in one go
MOST_HINTS = 5_000  # more than that and a rescan is cheaper, and memory stays flat
MOST_UNSETTLED = 10_000
RETRY_SECONDS = 60.0  # after the vault refused

PARTLY_WATCHED = (
    "The system gives too few watches for all folders; changes are found by the regular rescan. "
    "Raise fs.inotify.max_user_watches to notice them at once."
)
_OF_CONTENT = frozenset(
    {
        SkipReason.TOO_LARGE,
        SkipReason.EMPTY,
        SkipReason.BINARY,
        SkipReason.UNREADABLE,
        SkipReason.NOT_REGULAR,
        SkipReason.SYMLINK,
    }
)

Progress = Callable[[ScanProgress], None]


@dataclass(slots=True, kw_only=True)
class _Asked:
    """What there is to do; taken as a whole when the work begins."""

    everything: bool = False
    folder_changed: bool = False
    hints: set[str] = field(default_factory=set)
    waiting: list["asyncio.Future[ScanCounts]"] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.everything or self.folder_changed or self.hints or self.waiting)


class Follower:
    """Keeps the store up to date with one source.

    Args:
        turn: held while files are read, so that sources take turns and memory stays flat.
        progress: told how far a scan of everything is.
    """

    def __init__(
        self,
        source: Source,
        *,
        store: DocumentStore,
        watcher: Watcher,
        settings: CollectSettings,
        clock: Clock,
        turn: asyncio.Lock,
        progress: Progress | None = None,
    ) -> None:
        self._source = source
        self._name = source.settings.name
        self._store = store
        self._watcher = watcher
        self._settings = settings
        self._clock = clock
        self._turn = turn
        self._progress = progress

        self._asked = _Asked(everything=True)
        self._wake = asyncio.Event()
        self._paused = False
        self._missing = False
        self._identity: tuple[int, int] | None = None
        self._check_at = 0.0
        self._scan_at: float | None = None  # a scan of everything that is due later
        self._unsettled: dict[str, Unsettled] = {}

        self._documents = 0
        self._last_scan_at: float | None = None
        self._last_error: str | None = None
        self._places_skipped: Counter[SkipReason] = Counter()
        self._files_skipped: dict[str, tuple[FileStamp, SkipReason]] = {}
        self._totals: tuple[int, int] | None = None
        self._task = asyncio.create_task(self._follow(), name="source")

    # ----------------------------------------------------------------------- from outside

    @property
    def source(self) -> Source:
        return self._source

    def report(self) -> SourceReport:
        settings = self._source.settings
        state = SourceState.MISSING if self._missing else SourceState.WATCHING
        watched = not self._missing and self._watcher.is_watched(self._name)
        skipped = Counter(reason for _, reason in self._files_skipped.values())
        skipped += self._places_skipped
        skipped[SkipReason.CHANGING] += len(self._unsettled)
        error = self._last_error
        if error is None and self._last_scan_at is not None and not watched:
            error = None if self._missing else PARTLY_WATCHED
        return SourceReport(
            name=settings.name,
            kind=settings.kind,
            path=settings.path,
            state=SourceState.PAUSED if self._paused else state,
            documents=self._documents,
            last_scan_at=self._last_scan_at,
            skipped={reason: count for reason, count in sorted(skipped.items()) if count},
            last_error=error,
            watched=watched and not self._paused,
        )

    def hint(self, hint: Hint) -> None:
        """Something may have changed. Called in the loop."""
        if self._paused:
            return
        match hint:
            case EventsLost():
                self._asked.everything = True
            case Changed(path=""):
                self._asked.folder_changed = True
            case Changed(path=path):
                self._asked.hints.add(path)
                if len(self._asked.hints) > MOST_HINTS:
                    self._asked.hints.clear()
                    self._asked.everything = True
        self._wake.set()

    async def rescan(self) -> ScanCounts:
        """Look at everything and wait until it is kept, one time of settling included."""
        if self._task.done():
            return ScanCounts()
        done: asyncio.Future[ScanCounts] = asyncio.get_running_loop().create_future()
        self._asked.waiting.append(done)
        self._wake.set()
        return await done

    def pause(self) -> None:
        """Look at nothing until `resume`; what is being read now is still kept."""
        self._paused = True
        self._unsettled.clear()
        self._wake.set()

    def resume(self) -> None:
        """Go on, with a scan of what happened in between."""
        self._paused = False
        self._asked.everything = True
        self._wake.set()

    async def close(self) -> None:
        """Stop; what was put is kept, what was only read is read again next time."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        for done in self._asked.waiting:
            done.cancel()
        await asyncio.to_thread(self._watcher.unwatch, self._name)

    # ----------------------------------------------------------------------- when to look

    async def _follow(self) -> None:
        while True:
            await self._next_work()
            if self._asked.hints and not (self._asked.everything or self._asked.waiting):
                await self._clock.sleep(self._settings.debounce_seconds)
            asked, self._asked = self._asked, _Asked()
            try:
                counts = await self._work(asked)
            except asyncio.CancelledError:
                for done in asked.waiting:
                    done.cancel()
                raise
            except Exception as error:
                self._failed(error)
                for done in asked.waiting:
                    if not done.done():
                        done.set_exception(error)
            else:
                for done in asked.waiting:
                    if not done.done():
                        done.set_result(counts)

    async def _next_work(self) -> None:
        """Returns when somebody asked for something or a time has come."""
        while not self._asked:
            delay = self._next_time() - self._clock.now()
            if delay <= 0:
                return
            waits = (
                asyncio.ensure_future(self._clock.sleep(delay)),
                asyncio.ensure_future(self._wake.wait()),
            )
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
            self._wake.clear()

    def _next_time(self) -> float:
        times = [self._check_at, *(moving.look_again_at for moving in self._unsettled.values())]
        if self._scan_at is not None:
            times.append(self._scan_at)
        return min(times)

    def _failed(self, error: Exception) -> None:
        """Say so and try again later; the sentences of our own errors hold no text."""
        if isinstance(error, StorageError):
            self._last_error = str(error)
        else:
            self._last_error = f"Collecting failed ({type(error).__name__})."
        log.error("collecting failed: %s", type(error).__name__)
        self._scan_at = self._clock.now() + RETRY_SECONDS

    # ----------------------------------------------------------------------- what to do

    async def _work(self, asked: _Asked) -> ScanCounts:
        now = self._clock.now()
        everything = bool(asked.everything or asked.waiting)
        if self._scan_at is not None and now >= self._scan_at:
            self._scan_at, everything = None, True
        if self._paused:
            self._check_at = now + self._settings.folder_check_seconds
            return ScanCounts()
        if everything or asked.folder_changed or now >= self._check_at:
            there, new = await self._look_at_folder(again=asked.folder_changed, full=everything)
            if not there:
                return ScanCounts()
            everything = everything or new
        if everything:
            async with self._turn:
                counts = await self._scan_everything()
            if asked.waiting:
                counts = sum_counts((counts, await self._wait_for_rest()))
            return counts
        async with self._turn:
            return await self._look_at(asked.hints | self._due())

    async def _look_at_folder(self, *, again: bool, full: bool) -> tuple[bool, bool]:
        """Whether the folder is there, and whether it is another one than before."""
        self._check_at = self._clock.now() + self._settings.folder_check_seconds
        try:
            identity = await asyncio.to_thread(self._source.check)
        except SourceError as error:
            if not self._missing:
                log.warning("a source cannot be read now (%s)", type(error).__name__)
                await asyncio.to_thread(self._watcher.unwatch, self._name)
            self._missing, self._identity = True, None
            self._last_error = str(error)
            self._unsettled.clear()
            return False, False
        new = self._missing or again or identity != self._identity
        if self._missing:
            self._missing, self._last_error = False, None
        self._identity = identity
        if new or (full and not self._watcher.is_watched(self._name)):
            await self._watch()
        return True, new

    async def _watch(self) -> None:
        """Before the scan, so that nothing falls between the two."""
        await asyncio.to_thread(
            self._watcher.watch,
            self._name,
            self._source.folder,
            concerns=lambda change: self._source.concerns(change.path, is_folder=change.is_folder),
            hint=self.hint,
        )

    async def _scan_everything(self) -> ScanCounts:
        if self._progress is not None and self._totals is None:
            self._totals = await asyncio.to_thread(_measure, self._source)
        before, self._files_skipped = self._files_skipped, {}
        places: Counter[SkipReason] = Counter()
        counts = ScanCounts()
        finds = self._source.scan()
        while not self._paused:
            some = await asyncio.to_thread(_take, finds)
            if not some:
                break
            files = self._sort_out(some, places)
            new = [file for file in files if not self._still_skipped(file, before)]
            counts = sum_counts((counts, await self._collect(new, begun=counts)))
            counts = replace(counts, files=counts.files + len(files) - len(new))
        if not self._paused:
            self._places_skipped = places
            self._totals = (counts.files, self._totals[1]) if self._totals else None
            self._last_scan_at = self._clock.now()
            self._last_error = None
        self._documents = await self._store.count(self._name)
        return replace(counts, skipped=places.total() + len(self._files_skipped))

    async def _look_at(self, paths: Iterable[str]) -> ScanCounts:
        """Files and folders that something was said about, as they are now."""
        counts = ScanCounts()
        for path in sorted(paths):
            finds = self._source.scan(path)
            while some := await asyncio.to_thread(_take, finds):
                for find in some:
                    self._files_skipped.pop(find.path, None)
                    if isinstance(find, Skipped):
                        self._unsettled.pop(find.path, None)
                files = self._sort_out(some, Counter())
                counts = sum_counts((counts, await self._collect(files, begun=None)))
        if counts.files:
            self._documents = await self._store.count(self._name)
        return counts

    def _sort_out(
        self, finds: Sequence[FoundFile | Skipped], places: Counter[SkipReason]
    ) -> list[FoundFile]:
        """The files among the finds; the others are counted."""
        places.update(find.reason for find in finds if isinstance(find, Skipped))
        return [find for find in finds if isinstance(find, FoundFile)]

    def _still_skipped(
        self, file: FoundFile, before: dict[str, tuple[FileStamp, SkipReason]]
    ) -> bool:
        """Whether a file's content was of no use and has not changed since: it is not read."""
        known = before.get(file.path)
        if known is None or known[0] != stamp_of(file.size, file.mtime_ns):
            return False
        self._files_skipped[file.path] = known
        return True

    async def _wait_for_rest(self) -> ScanCounts:
        """One more look at the files that were moving, when they should have come to rest."""
        if not self._unsettled:
            return ScanCounts()
        last = max(moving.look_again_at for moving in self._unsettled.values())
        await self._clock.sleep(max(0.0, last - self._clock.now()))
        async with self._turn:
            return await self._look_at(set(self._unsettled))

    def _due(self) -> set[str]:
        now = self._clock.now()
        return {path for path, moving in self._unsettled.items() if now >= moving.look_again_at}

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
            settle_seconds=self._settings.settle_seconds,
        )
        if waiting is None:
            return True
        self._wait_for(waiting)
        return False

    def _wait_for(self, moving: Unsettled) -> None:
        if len(self._unsettled) < MOST_UNSETTLED:
            self._unsettled[moving.file.path] = moving
        else:
            self._scan_at = moving.look_again_at

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
            wait = self._settings.settle_seconds
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
