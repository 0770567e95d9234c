"""Following a source of kind `conversations`: what is heard is kept, one exchange after the other.

Hearing never waits: what comes while too much is waiting is dropped and counted. One task redacts
and keeps. Between an exchange and the vault its text is in memory only; a lock drops what waits.
"""

import asyncio
import contextlib
import logging
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from daemon.collecting.clock import Clock
from daemon.collecting.conversation_exchanges import Exchange
from daemon.collecting.conversation_keeping import ConversationKeeping
from daemon.collecting.conversations_source import ConversationsSource
from daemon.collecting.reports import ScanCounts, SourceReport, SourceState
from daemon.collecting.skipping import Skipped, SkipReason
from daemon.collecting.source import Source
from daemon.collecting.store import DUPLICATE, FORGOTTEN, STORED
from daemon.errors import VaultIsLocked, VaultQuotaReached
from storage.errors import StorageError

log = logging.getLogger(__name__)

MOST_WAITING = 64  # exchanges
MOST_CHARACTERS = 8 << 20  # of them together
MOST_RECENT = 512  # answers that can still be judged


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    id: str
    exchanges: Sequence[Exchange] = field(repr=False)  # the newest is the last
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    id: str
    good: bool
    done: "asyncio.Future[bool]"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Somebody waits until all that was heard before is kept."""

    done: "asyncio.Future[ScanCounts]"


class Listener:
    """Has the same face as `following.Follower`. Made inside the running loop."""

    def __init__(
        self,
        source: ConversationsSource,
        *,
        keeping: ConversationKeeping,
        clock: Clock,
    ) -> None:
        self._source: Source = source
        self._name = source.settings.name
        self._keeping = keeping
        self._clock = clock
        self._recent: OrderedDict[str, str] = OrderedDict()  # key by id of the answer
        self._waiting: deque[_Heard | _Judged | _Asked] = deque()
        self._characters = 0
        self._wake = asyncio.Event()
        self._paused = False
        self.closed = False
        self._documents: int | None = None
        self._kept_at: float | None = None
        self._skipped: Counter[SkipReason] = Counter()
        self._kept: Counter[str] = Counter()  # outcomes since somebody asked
        self._full = False
        self._last_error: str | None = None
        self._task = asyncio.create_task(self._follow(), name="source")

    # ------------------------------------------------------------------- what is heard

    def hear(self, id: str, exchanges: Sequence[Exchange]) -> None:
        """An exchange, after all that its client sent before it. Returns at once."""
        if self._paused or not exchanges:
            return
        size = sum(len(one.said) + len(one.answer) for one in exchanges)
        if len(self._waiting) >= MOST_WAITING or self._characters + size > MOST_CHARACTERS:
            self._skipped[SkipReason.DROPPED] += 1
            return
        self._characters += size
        self._put(_Heard(id=id, exchanges=exchanges, characters=size))

    def kept_out(self) -> None:
        """One was held that is not to be heard."""
        if not self._paused:
            self._skipped[SkipReason.NO_TRAIN] += 1

    async def judge(self, id: str, *, good: bool) -> bool:
        """Whether the exchange with this answer is kept now. Raises VaultIsLocked."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._put(_Judged(id=id, good=good, done=done))
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if done.cancelled():  # the source went meanwhile, or the vault was locked
                raise VaultIsLocked from None
            raise

    async def paths(self, ids: Sequence[str]) -> set[str] | None:
        """Of the conversations that hold these answers, once all that was heard is kept; None
        where it may have forgotten which these were. Raises VaultIsLocked.
        """
        try:
            await asyncio.shield(self.rescan())
        except asyncio.CancelledError:
            if self.closed:
                raise VaultIsLocked from None
            raise
        found: set[str] = set()
        for id in ids:
            if (key := self._recent.get(id)) is not None:
                found.update(await self._keeping.paths_with(key))
            elif len(self._recent) >= MOST_RECENT:
                return None
        return found

    def _put(self, entry: _Heard | _Judged | _Asked) -> None:
        self._waiting.append(entry)
        self._wake.set()

    # ------------------------------------------------------------------- as a follower

    @property
    def source(self) -> Source:
        return self._source

    def report(self) -> SourceReport:
        settings = self._source.settings
        state = SourceState.QUOTA if self._full else SourceState.WATCHING
        return SourceReport(
            name=settings.name,
            kind=settings.kind,
            path=settings.path,
            state=SourceState.PAUSED if self._paused else state,
            documents=self._documents or 0,
            last_scan_at=self._kept_at,
            skipped=dict(sorted(self._skipped.items())),
            last_error=self._last_error,
            watched=not self._paused,
            why_polled=None,
            scan=None,
        )

    def failed(self, most: int) -> list[Skipped]:
        return []

    @property
    def first_scan(self) -> "asyncio.Future[ScanCounts]":
        """There is nothing to scan, so it is over."""
        over: asyncio.Future[ScanCounts] = asyncio.get_running_loop().create_future()
        over.set_result(ScanCounts())
        return over

    def rescan(self) -> "asyncio.Future[ScanCounts]":
        """Done when all that was heard is kept."""
        done: asyncio.Future[ScanCounts] = asyncio.get_running_loop().create_future()
        self._put(_Asked(done=done))
        return done

    def pause(self) -> None:
        """Hear nothing until `resume`; what was heard before is still kept."""
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def use(self, source: Source) -> None:
        self._source = source

    async def sweep(self) -> int:
        return 0

    async def close(self) -> None:
        """Stop; what waits is dropped."""
        self.closed = True
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        for entry in self._waiting:
            if not isinstance(entry, _Heard):
                entry.done.cancel()
        self._waiting.clear()

    # ------------------------------------------------------------------- keeping it

    async def _follow(self) -> None:
        while True:
            while not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            entry = self._waiting.popleft()
            try:
                match entry:
                    case _Heard():
                        self._characters -= entry.characters
                        await self._keep(entry)
                    case _Judged():
                        kept = await self._judge(entry)
                        if not entry.done.done():
                            entry.done.set_result(kept)
                    case _Asked():
                        if not entry.done.done():
                            entry.done.set_result(self._counts())
            except asyncio.CancelledError:
                if not isinstance(entry, _Heard):
                    entry.done.cancel()
                raise
            except Exception as error:
                self._failed(entry, error)

    async def _keep(self, heard: _Heard) -> None:
        self._recent[heard.id] = await self._keeping.key(heard.exchanges[-1])
        while len(self._recent) > MOST_RECENT:
            self._recent.popitem(last=False)
        outcome = await self._keeping.keep(heard.exchanges, now=self._clock.now())
        self._kept[outcome] += 1
        if outcome in STORED:
            self._documents = await self._keeping.count()
        self._kept_at, self._full, self._last_error = self._clock.now(), False, None

    async def _judge(self, judged: _Judged) -> bool:
        key = self._recent.get(judged.id)
        if key is None:
            return False
        if judged.good:
            return await self._keeping.mark_good(key)
        await self._keeping.take_out(key)
        self._documents = await self._keeping.count()
        return False

    def _counts(self) -> ScanCounts:
        kept, self._kept = self._kept, Counter()
        return ScanCounts(
            stored=sum(kept[outcome] for outcome in STORED),
            duplicates=kept[DUPLICATE],
            forgotten=kept[FORGOTTEN],
        )

    def _failed(self, entry: _Heard | _Judged | _Asked, error: Exception) -> None:
        """Say so; the sentences of our own errors hold no text."""
        if isinstance(entry, _Heard):
            self._skipped[SkipReason.DROPPED] += 1
        elif not entry.done.done():
            entry.done.set_exception(error)
        if isinstance(error, VaultIsLocked):
            return
        log.error("keeping a conversation failed: %s", type(error).__name__)
        self._full = isinstance(error, VaultQuotaReached)
        ours = isinstance(error, (StorageError, VaultQuotaReached))
        name = type(error).__name__
        self._last_error = str(error) if ours else f"Collecting failed ({name})."
