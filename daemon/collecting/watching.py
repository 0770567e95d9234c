"""Hints that something changed, from the system's file events (watchdog).

Events are hints and nothing more: they come late, twice or never, so what they name is looked at
again, and a rescan finds what they missed. Where there are none, or too few watches for them, it is
said why, and the source is looked through now and then. Knows nothing of what is done with hints.
"""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from daemon.collecting.hinting import Concerns, HintBox, HintHandler
from daemon.collecting.mounts import is_network
from daemon.collecting.watch_room import most_watches, within

log = logging.getLogger(__name__)


class WhyPolled(StrEnum):
    """Why a source is looked through now and then in place of hearing of changes."""

    NETWORK = "network"  # its file system does not tell what other machines do
    NO_ROOM = "no_room"  # more folders than may be watched
    NO_EVENTS = "no_events"  # the system gives none


class Watcher(Protocol):
    """What the collector needs; methods block for as long as a walk over the folders takes."""

    def watch(
        self, name: str, folder: Path, *, concerns: Concerns, hint: HintHandler, below: bool = True
    ) -> bool:
        """Begin, or begin again; False where only looking through will find changes.

        Args:
            below: also the folders below `folder`.
        """
        ...

    def unwatch(self, name: str) -> None: ...

    def is_watched(self, name: str) -> bool:
        """Whether every folder of the source is watched now."""
        ...

    def why_polled(self, name: str) -> WhyPolled | None:
        """Why `watch` said False."""
        ...

    def close(self) -> None: ...


class Watching:
    """Watches folders. `hint` is called in the loop, `concerns` elsewhere.

    Args:
        room: how many watches all sources together may take.
        network: whether a folder is on a file system of another machine.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        room: Callable[[], int] = most_watches,
        network: Callable[[Path], bool] = is_network,
    ) -> None:
        self._loop = loop
        self._network = network
        self._system: _System = _LinuxSystem(room) if sys.platform == "linux" else _TreeSystem()
        self._polled: dict[str, WhyPolled] = {}
        self._closed = False
        self._changing = threading.Lock()  # sources begin and end in threads of their own
        # its messages name paths, and what they tell is told by our own reports
        logging.getLogger("watchdog").setLevel(logging.CRITICAL)

    def watch(
        self, name: str, folder: Path, *, concerns: Concerns, hint: HintHandler, below: bool = True
    ) -> bool:
        with self._changing:
            if self._closed:
                return False
            self._polled.pop(name, None)
            why = self._begin(name, folder, concerns, HintBox(self._loop, hint), below=below)
            if why is None:
                return True
            self._system.end(name)
            self._polled[name] = why
            return False

    def _begin(
        self, name: str, folder: Path, concerns: Concerns, box: HintBox, *, below: bool
    ) -> WhyPolled | None:
        if self._network(folder):
            return WhyPolled.NETWORK
        try:
            begun = self._system.begin(name, folder, concerns, box, below=below)
        except (OSError, RuntimeError) as error:
            log.warning("a source cannot be watched (%s)", type(error).__name__)
            return WhyPolled.NO_EVENTS
        return None if begun else WhyPolled.NO_ROOM

    def unwatch(self, name: str) -> None:
        with self._changing:
            self._polled.pop(name, None)
            self._system.end(name)

    def is_watched(self, name: str) -> bool:
        return self._system.is_alive(name)

    def why_polled(self, name: str) -> WhyPolled | None:
        return self._polled.get(name)

    def close(self) -> None:
        with self._changing:
            self._closed = True  # a walk over folders may still be on its way to `watch`
            self._polled.clear()
            self._system.close()


# --------------------------------------------------------------------------- systems


class _System(Protocol):
    def begin(
        self, name: str, folder: Path, concerns: Concerns, box: HintBox, *, below: bool
    ) -> bool:
        """Watch a source in place of what was watched for it; False when there is no room.

        Raises OSError, RuntimeError.
        """
        ...

    def end(self, name: str) -> None: ...

    def is_alive(self, name: str) -> bool: ...

    def close(self) -> None: ...


class _LinuxSystem:
    """inotify: a watch for each folder, one thread for all."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._ask_most = most
        self._most = 0
        self._thread: Any = None
        self._sources: dict[str, Any] = {}

    def begin(
        self, name: str, folder: Path, concerns: Concerns, box: HintBox, *, below: bool
    ) -> bool:
        from daemon.collecting import linux_watching

        before = self._sources.pop(name, None)
        try:
            self._most = self._ask_most()
            wanted = linux_watching.wanted_folders(folder, concerns) if below else ()
            folders = within(self._room() - 1, wanted)
            if folders is None:
                return False
            if self._thread is None or not self._thread.is_alive():
                self._thread = linux_watching.InotifyThread()
                self._thread.start()
            self._sources[name] = watches = linux_watching.FolderWatches(
                self._thread, folder, concerns=concerns, box=box, room=self._room
            )
            watches.begin(folders)
        except linux_watching.TooManyFolders:
            return False
        finally:
            if before is not None:  # only now, so that nothing falls between the two
                before.end()
        return True

    def end(self, name: str) -> None:
        watches = self._sources.pop(name, None)
        if watches is not None:
            watches.end()

    def is_alive(self, name: str) -> bool:
        thread = self._thread
        return name in self._sources and thread is not None and thread.is_alive()

    def close(self) -> None:
        thread, self._thread = self._thread, None
        self._sources.clear()
        if thread is not None and thread.is_alive():
            thread.stop()
            thread.join()

    def _room(self) -> int:
        """Also called in the thread of events."""
        return self._most - sum(len(one) for one in tuple(self._sources.values()))


class _TreeSystem:
    """Whole trees, as FSEvents has them."""

    def __init__(self) -> None:
        self._trees: Any = None
        self._watches: dict[str, Any] = {}

    def begin(
        self, name: str, folder: Path, concerns: Concerns, box: HintBox, *, below: bool
    ) -> bool:
        from daemon.collecting.observer_watching import TreeWatches

        self.end(name)
        self._trees = self._trees or TreeWatches()
        self._watches[name] = self._trees.begin(folder, concerns=concerns, box=box, below=below)
        return True

    def end(self, name: str) -> None:
        watch = self._watches.pop(name, None)
        if watch is not None:
            self._trees.end(watch)

    def is_alive(self, name: str) -> bool:
        return name in self._watches and bool(self._trees.is_alive(self._watches[name]))

    def close(self) -> None:
        self._watches.clear()
        if self._trees is not None:
            self._trees.close()
