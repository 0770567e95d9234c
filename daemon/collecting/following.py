"""Following one source: when to look, what to read, what to report.

One task per source. It wakes for hints, for files that should have come to rest, for a rescan that
somebody asked for, and now and then to see whether the folder is still there.
"""

import asyncio
import contextlib
import logging
import math
from dataclasses import dataclass, field

from daemon.collecting.clock import Clock
from daemon.collecting.gathering import Gatherer, Progress, sum_counts
from daemon.collecting.ignoring import is_ignore_file
from daemon.collecting.reports import ScanCounts, SourceReport, SourceState
from daemon.collecting.source import Source
from daemon.collecting.store import DocumentStore
from daemon.collecting.watching import Changed, EventsLost, Hint, Watcher
from daemon.config import CollectSettings
from daemon.errors import SourceError, VaultQuotaReached
from storage.errors import StorageError

log = logging.getLogger(__name__)

MOST_HINTS = 5_000  # more than that and a rescan is cheaper, and memory stays flat
RETRY_SECONDS = 60.0  # after the vault refused

PARTLY_WATCHED = (
    "The system gives too few watches for all folders; changes are found by the regular rescan. "
    "Raise fs.inotify.max_user_watches to notice them at once."
)


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
        self._gatherer = Gatherer(
            source,
            store=store,
            settle_seconds=settings.settle_seconds,
            clock=clock,
            progress=progress,
        )

        self._asked = _Asked(everything=True)
        self._wake = asyncio.Event()
        self._paused = False
        self._missing = False
        self._full: VaultQuotaReached | None = None  # while the vault may not grow
        self._identity: tuple[int, int] | None = None
        self._check_at = 0.0
        self._scan_at: float | None = None  # a scan of everything that is due later
        self._last_error: str | None = None
        self._task = asyncio.create_task(self._follow(), name="source")

    # ----------------------------------------------------------------------- from outside

    @property
    def source(self) -> Source:
        return self._source

    def report(self) -> SourceReport:
        settings = self._source.settings
        state = SourceState.QUOTA if self._full else SourceState.WATCHING
        state = SourceState.MISSING if self._missing else state
        watched = not self._missing and self._watcher.is_watched(self._name)
        error = self._last_error
        if error is None and self._gatherer.last_scan_at is not None and not watched:
            error = None if self._missing else PARTLY_WATCHED
        return SourceReport(
            name=settings.name,
            kind=settings.kind,
            path=settings.path,
            state=SourceState.PAUSED if self._paused else state,
            documents=self._gatherer.documents,
            last_scan_at=self._gatherer.last_scan_at,
            skipped=self._gatherer.skipped,
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
            case Changed(path=path) if is_ignore_file(path):
                # when it is whole: half of one leaves in what all of it leaves out
                self._scan_at = self._clock.now() + self._settings.settle_seconds
            case Changed(path=path):
                self._asked.hints.add(path)
                if len(self._asked.hints) > MOST_HINTS:
                    self._asked.hints.clear()
                    self._asked.everything = True
        self._wake.set()

    def rescan(self) -> "asyncio.Future[ScanCounts]":
        """Ask for a look at everything; done when it is kept, one time of settling included."""
        done: asyncio.Future[ScanCounts] = asyncio.get_running_loop().create_future()
        self._asked.waiting.append(done)
        self._wake.set()
        return done

    def pause(self) -> None:
        """Look at nothing and watch nothing until `resume`; what is being read is still kept."""
        self._paused = self._gatherer.stopped = True
        self._gatherer.forget_moving()
        self._asked.everything = True
        self._wake.set()

    def resume(self) -> None:
        """Go on, with a scan of what happened in between."""
        self._paused = self._gatherer.stopped = False
        self._asked.everything = True
        self._wake.set()

    def use(self, source: Source) -> None:
        """Go on with the same place under other rules, with a scan of everything."""
        self._source = source
        self._gatherer.use(source)
        self._asked.everything = True
        self._wake.set()

    async def sweep(self) -> int:
        """Remove what was kept and is excluded now; how many documents."""
        return await self._gatherer.sweep()

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
                if self._gatherer.too_much_moves_until is not None:
                    self._scan_at = self._gatherer.too_much_moves_until
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
        times = [self._check_at, *self._gatherer.moving().values()]
        return min(times if self._scan_at is None else [*times, self._scan_at])

    def _failed(self, error: Exception) -> None:
        """Say so and try again later; the sentences of our own errors hold no text."""
        if error is not self._full:
            log.error("collecting failed: %s", type(error).__name__)
        self._full = error if isinstance(error, VaultQuotaReached) else None
        if isinstance(error, (StorageError, VaultQuotaReached)):
            self._last_error = str(error)
        else:
            self._last_error = f"Collecting failed ({type(error).__name__})."
        self._scan_at = self._clock.now() + RETRY_SECONDS

    # ----------------------------------------------------------------------- what to do

    async def _work(self, asked: _Asked) -> ScanCounts:
        now = self._clock.now()
        everything = bool(asked.everything or asked.waiting)
        if self._scan_at is not None and now >= self._scan_at:
            self._scan_at, everything = None, True
        if self._paused:
            await asyncio.to_thread(self._watcher.unwatch, self._name)
            self._identity, self._scan_at, self._check_at = None, None, math.inf
            return ScanCounts()
        if self._full is not None:
            if not await self._store.has_room():
                raise self._full
            self._full, everything = None, True
        if everything or asked.folder_changed or now >= self._check_at:
            there, new = await self._look_at_folder(again=asked.folder_changed, full=everything)
            if not there:
                return ScanCounts()
            everything = everything or new
        if everything:
            async with self._turn:
                counts = await self._gatherer.scan_everything()
                self._last_error = None
            if asked.waiting:
                counts = sum_counts((counts, await self._wait_for_rest()))
            return counts
        async with self._turn:
            return await self._gatherer.look_at(asked.hints | self._due())

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
            self._gatherer.forget_moving()
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

    async def _wait_for_rest(self) -> ScanCounts:
        """One more look at the files that were moving, when they should have come to rest."""
        moving = self._gatherer.moving()
        if not moving:
            return ScanCounts()
        await self._clock.sleep(max(0.0, max(moving.values()) - self._clock.now()))
        async with self._turn:
            return await self._gatherer.look_at(moving)

    def _due(self) -> set[str]:
        """Files that should have come to rest by now."""
        now = self._clock.now()
        return {path for path, at in self._gatherer.moving().items() if now >= at}
