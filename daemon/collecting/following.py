"""Following one source: when to look, what to read, what to report.

One task per source. It wakes for hints, when they have come to an end, for files that should have
come to rest, and for a rescan that somebody asked for. A source that no events tell of is looked
through now and then, and one that is missing is looked for; one that is watched costs nothing else.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from daemon.collecting.clock import Clock
from daemon.collecting.gathering import Gatherer, Progress, sum_counts
from daemon.collecting.hinting import MOST_HINTS, Changed, EventsLost, Hint, ManyChanged
from daemon.collecting.ignoring import is_ignore_file
from daemon.collecting.moves import Gone
from daemon.collecting.reports import ScanCounts, SourceReport, SourceState
from daemon.collecting.skipping import Skipped
from daemon.collecting.source import Source
from daemon.collecting.store import DocumentStore
from daemon.collecting.watching import Watcher
from daemon.config import CollectSettings
from daemon.errors import SourceError, VaultQuotaReached
from storage.errors import StorageError

log = logging.getLogger(__name__)

RETRY_SECONDS = 60.0  # after the vault refused
LONGEST_DEBOUNCE = 6  # times that of the settings: changes that do not end are looked at too
MOST_POLLING = 0.02  # of the time, however long a look through everything takes


@dataclass(slots=True, kw_only=True)
class _Asked:
    """What there is to do; taken as a whole when the work begins."""

    everything: bool = False
    folder_changed: bool = False
    waiting: list["asyncio.Future[ScanCounts]"] = field(default_factory=list)
    watch_again: bool = False
    # what may wait until nothing more is said
    hints: set[str] = field(default_factory=set)
    many: bool = False
    first_hint_at: float = math.inf
    last_hint_at: float = math.inf

    @property
    def now(self) -> bool:
        return bool(self.everything or self.folder_changed or self.waiting)

    @property
    def soon(self) -> bool:
        return bool(self.hints or self.many)

    def hinted(self, now: float) -> None:
        self.first_hint_at = min(self.first_hint_at, now)
        self.last_hint_at = now


class Follower:
    """Keeps the store up to date with one source.

    Args:
        turn: held while files are read, so that sources take turns and memory stays flat.
        progress: told how far a scan of everything is.
        gone: whether the file at a source's path is not there any more; its own are asked for
            without it.
        may_remove: whether documents may leave the vault now because their files went.
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
        gone: Gone | None = None,
        may_remove: Callable[[], bool] = lambda: True,
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
            gone=gone,
            may_remove=may_remove,
        )

        self._asked = _Asked(everything=True)
        self._wake = asyncio.Event()
        self._paused = False
        self._missing = False
        self._full: VaultQuotaReached | None = None  # while the vault may not grow
        self._identity: tuple[int, int] | None = None
        self._check_at = 0.0
        self._scan_at: float | None = None  # a scan of everything that is due later
        self._poll_at = math.inf
        self._watched_by = b""  # the exclusions under which folders were watched
        self._last_error: str | None = None
        self._first_counts = ScanCounts()
        self.first_scan: asyncio.Future[ScanCounts] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._follow(), name="source")

    # ----------------------------------------------------------------------- from outside

    @property
    def source(self) -> Source:
        return self._source

    def report(self) -> SourceReport:
        settings = self._source.settings
        state = SourceState.QUOTA if self._full else SourceState.WATCHING
        state = SourceState.MISSING if self._missing else state
        there = not (self._missing or self._paused)
        return SourceReport(
            name=settings.name,
            kind=settings.kind,
            path=settings.path,
            state=SourceState.PAUSED if self._paused else state,
            documents=self._gatherer.documents,
            last_scan_at=self._gatherer.last_scan_at,
            skipped=self._gatherer.skipped,
            last_error=self._last_error,
            watched=there and self._watcher.is_watched(self._name),
            why_polled=self._watcher.why_polled(self._name) if there else None,
            scan=self._gatherer.scanning,
        )

    def failed(self, most: int) -> list[Skipped]:
        """Files and folders that could not be read, and why; no more than `most`."""
        return self._gatherer.failed(most)

    def hint(self, hint: Hint) -> None:
        """Something may have changed. Called in the loop."""
        if self._paused:
            return
        asked, known = self._asked, self._asked.soon
        match hint:
            case EventsLost():
                asked.many = asked.watch_again = True
            case ManyChanged():
                asked.many = True
            case Changed(path=""):
                asked.folder_changed = True
            case Changed(path=path) if is_ignore_file(path):
                # when it is whole: half of one leaves in what all of it leaves out
                self._scan_at = self._clock.now() + self._settings.settle_seconds
                self._wake.set()
            case Changed(path=path) if not asked.many:
                asked.hints.add(path)
                asked.many = len(asked.hints) > MOST_HINTS
        if asked.many:
            asked.hints.clear()
        if asked.soon:
            asked.hinted(self._clock.now())
        if asked.now or not known:  # else its time is looked at when the one before is over
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
        self._asked.everything = self._asked.watch_again = True
        self._wake.set()

    async def sweep(self) -> int:
        """Remove what was kept and is excluded now; how many documents."""
        return await self._gatherer.sweep()

    async def close(self) -> None:
        """Stop; what was put is kept, what was only read is read again next time."""
        self._gatherer.stopped = True  # the thread that reads ends with its file
        self._task.cancel()
        self.first_scan.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        for done in self._asked.waiting:
            done.cancel()
        await asyncio.to_thread(self._watcher.unwatch, self._name)

    # ----------------------------------------------------------------------- when to look

    async def _follow(self) -> None:
        while True:
            await self._next_work()
            asked = _Asked()
            if self._asked.now or self._clock.now() >= self._hints_due():
                asked, self._asked = self._asked, asked
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
                self._add_up_first(counts)
                if self._gatherer.too_much_moves_until is not None:
                    self._scan_at = self._gatherer.too_much_moves_until
                for done in asked.waiting:
                    if not done.done():
                        done.set_result(counts)

    async def _next_work(self) -> None:
        """Returns when somebody asked for something or a time has come."""
        while not self._asked.now:
            delay = self._next_time() - self._clock.now()
            if delay <= 0:
                return
            waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._wake.wait())]
            if math.isfinite(delay):
                waits.append(asyncio.ensure_future(self._clock.sleep(delay)))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
            self._wake.clear()

    def _next_time(self) -> float:
        times = [self._check_at, self._poll_at, self._hints_due()]
        times += self._gatherer.moving().values()
        return min(times if self._scan_at is None else [*times, self._scan_at])

    def _hints_due(self) -> float:
        """When nothing more was said for long enough, or things were being said for too long."""
        pause = self._settings.debounce_seconds
        asked = self._asked
        return min(asked.last_hint_at + pause, asked.first_hint_at + LONGEST_DEBOUNCE * pause)

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
        everything = bool(asked.everything or asked.waiting or asked.many or now >= self._poll_at)
        if self._scan_at is not None and now >= self._scan_at:
            self._scan_at, everything = None, True
        if self._paused:
            await asyncio.to_thread(self._watcher.unwatch, self._name)
            self._identity, self._scan_at = None, None
            self._check_at = self._poll_at = math.inf
            return ScanCounts()
        if self._full is not None:
            if not await self._store.has_room():
                raise self._full
            self._full, everything = None, True
        there, new = await self._look_at_folder(
            again=asked.folder_changed or asked.watch_again, full=everything
        )
        if not there:
            return ScanCounts()
        if everything or new:
            return await self._scan_everything(wait=bool(asked.waiting))
        async with self._turn:
            counts = await self._gatherer.look_at(asked.hints | self._due())
        self._plan_another_look()
        return counts

    async def _scan_everything(self, *, wait: bool) -> ScanCounts:
        """With a second look at what was moving where somebody waits for the end of it."""
        async with self._turn:
            begun = self._clock.now()
            counts = await self._gatherer.scan_everything()
            self._last_error = None
        self._poll_at = math.inf
        if self._source.exclusions() != self._watched_by:
            await self._watch()  # folders that are wanted now
        if not self._watcher.is_watched(self._name):
            now = self._clock.now()
            self._poll_at = now + max(
                self._settings.poll_minutes * 60, (now - begun) / MOST_POLLING
            )
        self._plan_another_look()
        if wait:
            counts = sum_counts((counts, await self._wait_for_rest()))
        return counts

    def _add_up_first(self, counts: ScanCounts) -> None:
        """The first scan has ended when what was moving in it has had its time to come to rest."""
        scanned_at = self._gatherer.last_scan_at
        if self.first_scan.done() or scanned_at is None:
            return
        self._first_counts = sum_counts((self._first_counts, counts))
        rested_at = scanned_at + self._settings.settle_seconds
        if not self._gatherer.moving() or self._clock.now() >= rested_at:
            self.first_scan.set_result(self._first_counts)

    def _plan_another_look(self) -> None:
        """Where files went, and the source does not keep what they gave."""
        at = self._gatherer.look_again_at
        if at is not None:
            self._scan_at = at if self._scan_at is None else min(self._scan_at, at)

    async def _look_at_folder(self, *, again: bool, full: bool) -> tuple[bool, bool]:
        """Whether the folder is there, and whether it is another one than before."""
        try:
            identity = await asyncio.to_thread(self._source.check)
        except SourceError as error:
            if not self._missing:
                log.warning("a source cannot be read now (%s)", type(error).__name__)
                await asyncio.to_thread(self._watcher.unwatch, self._name)
            self._missing, self._identity = True, None
            self._last_error = str(error)
            self._gatherer.forget_moving()
            self._check_at = self._clock.now() + self._settings.folder_check_seconds
            self._poll_at = math.inf
            return False, False
        new = self._missing or again or identity != self._identity
        if self._missing:
            self._missing, self._last_error = False, None
        if identity != self._identity:
            self._gatherer.forget_vanished()  # what is not there now was in another folder
        self._identity = identity
        if new or (full and not self._watcher.is_watched(self._name)):
            await self._watch()
        watched = self._watcher.is_watched(self._name)  # then the system tells when it goes
        pause = math.inf if watched else self._settings.folder_check_seconds
        self._check_at = self._clock.now() + pause
        return True, new

    async def _watch(self) -> None:
        """Before the scan, so that nothing falls between the two."""
        self._watched_by = self._source.exclusions()
        await asyncio.to_thread(
            self._watcher.watch,
            self._name,
            self._source.folder,
            concerns=lambda change: self._source.concerns(change.path, is_folder=change.is_folder),
            hint=self.hint,
            below=self._source.only is None,
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
