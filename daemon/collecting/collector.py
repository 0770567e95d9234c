"""All sources that the user allowed, each followed by a task of its own.

The service calls `rescan` every hour; everything else happens by itself between `add` and `close`.
Knows nothing of the vault: what is collected goes to a `store`.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from daemon.collecting.chats_source import ChatsSource
from daemon.collecting.clock import Clock, SystemClock
from daemon.collecting.conversation_listening import Listener
from daemon.collecting.conversations_source import ConversationsSource
from daemon.collecting.following import Follower
from daemon.collecting.gathering import Progress, sum_counts
from daemon.collecting.kinds import KINDS, check_settings, make_source
from daemon.collecting.placing import place_source
from daemon.collecting.reports import ScanCounts, SourceReport
from daemon.collecting.skipping import Skipped
from daemon.collecting.source import Source
from daemon.collecting.store import DocumentStore
from daemon.collecting.watching import Watcher, Watching
from daemon.collecting.whereabouts import is_gone
from daemon.config import CollectSettings
from daemon.errors import ConversationsAlready, SourceUnknown, UnsupportedKind
from daemon.extracting.extractor import Extractor
from storage.records import SourceSettings

MakeSource = Callable[[SourceSettings], Source]
Listen = Callable[..., Listener]  # (source, *, store, clock)


class Collector:
    """Make it inside the running loop.

    Args:
        store: where documents go.
        settings: times and limits.
        own_folders: what is never collected from (`Home.own_folders`).
        progress: told how far scans are.
        extractor: reads what is not plain text; the collector's own if none is given.
        listen: begins to hear what is said over our own socket (`daemon.conversations`).
        may_remove: whether documents may leave the vault now because their files went.
        clock, watcher, make: the system's own; tests give others.
    """

    def __init__(
        self,
        *,
        store: DocumentStore,
        settings: CollectSettings,
        own_folders: Iterable[Path] = (),
        progress: Progress | None = None,
        extractor: Extractor | None = None,
        listen: Listen | None = None,
        may_remove: Callable[[], bool] = lambda: True,
        clock: Clock | None = None,
        watcher: Watcher | None = None,
        make: MakeSource | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._own_folders = tuple(own_folders)
        self._progress = progress
        self._extractor = extractor or Extractor()
        self._listen = listen
        self._may_remove = may_remove
        self._clock = clock or SystemClock()
        self._watcher = watcher or Watching(asyncio.get_running_loop())
        self._make = make or self._make_source
        self._turn = asyncio.Lock()
        self._followers: dict[str, Follower] = {}
        self._paused: set[str] = set()  # by name
        self._all_paused: set[str] = set()  # why
        self._exclusions: tuple[str, ...] = ()

    async def place(self, settings: SourceSettings) -> SourceSettings:
        """Check a source that somebody wants to add; the settings to keep, with the real path.

        Raises:
            SourceError: one of its kinds, with the reason.
        """
        sources = [one.source for one in self._followers.values()]
        if isinstance(self._make(settings), ConversationsSource):
            if any(isinstance(source, ConversationsSource) for source in sources):
                raise ConversationsAlready
            return replace(settings, path="", include=())
        placed = await self._placed(settings)
        await asyncio.to_thread(check_settings, self._make(placed))
        return placed

    async def speakers(self, settings: SourceSettings) -> list[str]:
        """Names of those who speak in the exports of chats there; none where one is the user.

        Raises SourceError, as `place` does.
        """
        source = self._make(await self._placed(settings))
        return await asyncio.to_thread(source.speakers) if isinstance(source, ChatsSource) else []

    async def _placed(self, settings: SourceSettings) -> SourceSettings:
        sources = [one.source for one in self._followers.values()]
        others = [one.settings for one in sources if not isinstance(one, ConversationsSource)]
        return await asyncio.to_thread(
            place_source, settings, others=others, own_folders=self._own_folders
        )

    def add(self, settings: SourceSettings) -> None:
        """Follow a source from now on; the first scan begins at once.

        A folder that is missing now is taken up when it comes. Raises UnsupportedKind.
        """
        if settings.name in self._followers:
            raise ValueError("a source with this name is followed already")
        self._followers[settings.name] = self._begin(self._make(settings))
        if settings.paused:
            self._paused.add(settings.name)
        if settings.paused or self._all_paused:
            self._followers[settings.name].pause()

    def _begin(self, source: Source) -> Follower:
        if isinstance(source, ConversationsSource):
            if self._listen is None:
                raise UnsupportedKind(", ".join(KINDS))
            listener = self._listen(source, store=self._store, clock=self._clock)
            return cast("Follower", listener)  # it has the same face
        return Follower(
            source,
            store=self._store,
            watcher=self._watcher,
            settings=self._settings,
            clock=self._clock,
            turn=self._turn,
            progress=self._progress,
            gone=self._gone,
            may_remove=self._may_remove,
        )

    async def remove(self, name: str) -> None:
        """Stop following; what it gave stays. Raises SourceUnknown."""
        follower = self._follower(name)
        del self._followers[name]
        self._paused.discard(name)
        await follower.close()

    def pause(self, name: str) -> None:
        """Raises SourceUnknown."""
        self._follower(name).pause()
        self._paused.add(name)

    def resume(self, name: str) -> None:
        """Takes effect when all is resumed, if all is paused. Raises SourceUnknown."""
        follower = self._follower(name)
        self._paused.discard(name)
        if not self._all_paused:
            follower.resume()

    def pause_all(self, because: str = "pause") -> None:
        """Those too that are added before `resume_all`."""
        self._all_paused.add(because)
        for follower in self._followers.values():
            follower.pause()

    def resume_all(self, because: str = "pause") -> None:
        """All but those that were paused by name, unless all are paused for something else too."""
        self._all_paused.discard(because)
        if self._all_paused:
            return
        for name, follower in self._followers.items():
            if name not in self._paused:
                follower.resume()

    def change(self, settings: SourceSettings) -> None:
        """Follow a source under other settings. Raises SourceUnknown."""
        self._follower(settings.name).use(self._make(settings))

    def exclude(self, globs: Sequence[str]) -> None:
        """The globs for all sources, those too that are added later."""
        self._exclusions = tuple(globs)
        for follower in self._followers.values():
            follower.use(self._make(follower.source.settings))

    async def sweep(self) -> int:
        """Remove what was kept and is excluded now; how many documents."""
        return sum([await follower.sweep() for follower in list(self._followers.values())])

    async def rescan(self, name: str | None = None) -> ScanCounts:
        """Scan one source, or all, and wait until what was found is kept.

        Raises:
            SourceUnknown: there is none of this name.
            StorageError: the vault refused.
        """
        followers = list(self._followers.values()) if name is None else [self._follower(name)]
        return sum_counts(await asyncio.gather(*(one.rescan() for one in followers)))

    def report(self, name: str) -> SourceReport:
        """Raises SourceUnknown."""
        return self._follower(name).report()

    @property
    def sources(self) -> list[Source]:
        return [follower.source for follower in self._followers.values()]

    def reports(self) -> list[SourceReport]:
        """In the order in which the sources were added."""
        return [follower.report() for follower in self._followers.values()]

    async def clear(self) -> None:
        """Stop all; what was put is kept, what was only read is read again next time."""
        followers, self._followers = self._followers, {}
        self._paused.clear()
        await asyncio.gather(*(follower.close() for follower in followers.values()))
        await asyncio.to_thread(self._extractor.close)  # no text waits in it while all is locked

    async def close(self) -> None:
        """Clear, for good."""
        await self.clear()
        await asyncio.to_thread(self._watcher.close)

    def _gone(self, name: str, path: str) -> bool:
        """Whether a source has no file at this path any more. Called in a thread.

        A source that was removed has none: whoever has the file now goes on with it.
        """
        follower = self._followers.get(name)
        if follower is not None and isinstance(follower.source, ConversationsSource):
            return False
        return follower is None or is_gone(follower.source.folder, path)

    def failed(self, name: str, most: int) -> list[Skipped]:
        """What of a source could not be read, by name, and why. Raises SourceUnknown."""
        return self._follower(name).failed(most)

    def first_scan(self, name: str) -> "asyncio.Future[ScanCounts]":
        """Done when all of a source was looked at once; cancelled when it is followed no more.

        Raises SourceUnknown.
        """
        return self._follower(name).first_scan

    def _follower(self, name: str) -> Follower:
        follower = self._followers.get(name)
        if follower is None:
            raise SourceUnknown
        return follower

    def _make_source(self, settings: SourceSettings) -> Source:
        return make_source(
            settings,
            most_bytes=self._settings.max_file_bytes,
            exclusions=self._exclusions,
            extractor=self._extractor,
            now=self._clock.now,
        )
