"""Hints that something changed, from the system's file events (watchdog).

Events are hints and nothing more: they come late, twice or never, so what they name is looked at
again, and a rescan finds what they missed. They arrive in watchdog's threads and are handed to the
event loop. Knows nothing of what is done with them.
"""

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver, ObservedWatch

log = logging.getLogger(__name__)

# Not asked for: that a file was opened or closed unchanged, which our own reading does.
_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Something may have changed at `path`, relative to the source."""

    path: str = field(repr=False)
    is_folder: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsLost:
    """Events were dropped: only a rescan can tell what changed."""


Hint = Changed | EventsLost
HintHandler = Callable[[Hint], None]
Concerns = Callable[[Changed], bool]


class Watcher(Protocol):
    """What the collector needs; methods block for as long as a walk over the folders takes."""

    def watch(self, name: str, folder: Path, *, concerns: Concerns, hint: HintHandler) -> bool:
        """Begin, or begin again; False where only rescans will find changes."""
        ...

    def unwatch(self, name: str) -> None: ...

    def is_watched(self, name: str) -> bool:
        """Whether every folder of the source is watched now."""
        ...

    def close(self) -> None: ...


class Watching:
    """Watches folders with one observer. `hint` is called in the loop, `concerns` elsewhere."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._observer: BaseObserver | None = None
        self._watches: dict[str, ObservedWatch] = {}
        self._handlers: dict[str, _Handler] = {}
        self._incomplete: set[str] = set()
        self._closed = False
        self._changing = threading.Lock()  # sources begin and end in threads of their own
        # its messages name paths, and what they tell is told by our own reports
        logging.getLogger("watchdog").setLevel(logging.CRITICAL)

    def watch(self, name: str, folder: Path, *, concerns: Concerns, hint: HintHandler) -> bool:
        handler = _Handler(self._loop, folder, concerns, hint)
        with self._changing:
            if self._closed:
                return False
            self._unwatch(name)
            self._handlers[name] = handler
            try:
                observer = self._running_observer()
                self._watches[name] = observer.schedule(
                    handler, str(folder), recursive=True, event_filter=_EVENTS
                )
            except (OSError, RuntimeError) as error:
                log.warning("a source cannot be watched (%s)", type(error).__name__)
                self._incomplete.add(name)
        return self.is_watched(name)

    def unwatch(self, name: str) -> None:
        with self._changing:
            self._unwatch(name)

    def _unwatch(self, name: str) -> None:
        watch = self._watches.pop(name, None)
        self._handlers.pop(name, None)
        self._incomplete.discard(name)
        if watch is not None and self._observer is not None:
            with contextlib.suppress(KeyError, OSError):  # the folder may be gone, and its watch
                self._observer.unschedule(watch)

    def is_watched(self, name: str) -> bool:
        watch, observer = self._watches.get(name), self._observer
        if watch is None or observer is None or not observer.is_alive():
            return False
        emitter = next((one for one in observer.emitters if one.watch == watch), None)
        return emitter is not None and emitter.is_alive() and name not in self._incomplete

    def close(self) -> None:
        with self._changing:
            self._closed = True  # a walk over folders may still be on its way to `watch`
            observer, self._observer = self._observer, None
            self._watches.clear()
            self._handlers.clear()
            _stop(observer)

    def _running_observer(self) -> BaseObserver:
        if self._observer is None or not self._observer.is_alive():
            _stop(self._observer)
            self._observer = self._make_observer()
            self._observer.start()
        return self._observer

    def _make_observer(self) -> BaseObserver:
        if sys.platform == "linux":
            from daemon.collecting.linux_observer import LinuxObserver

            return LinuxObserver(lost=self._lost, exhausted=self._exhausted)
        else:  # noqa: RET505 - mypy skips a branch for another platform, not what follows a return
            from watchdog.observers import Observer

            return Observer()

    def _lost(self) -> None:
        """In watchdog's thread: the queue is one for all sources, so all have lost events."""
        log.warning("file events were lost; all sources are scanned again")
        for handler in list(self._handlers.values()):
            handler.say(EventsLost())

    def _exhausted(self, path: bytes) -> None:
        """The system gives no more watches: the source at `path` is watched in part only."""
        at = Path(os.fsdecode(path))
        for name, handler in list(self._handlers.items()):
            if at.is_relative_to(handler.folder) and name not in self._incomplete:
                log.warning("too few inotify watches; changes are found by the hourly rescan")
                self._incomplete.add(name)


class _Handler(FileSystemEventHandler):
    """From watchdog's events to hints in the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        folder: Path,
        concerns: Concerns,
        hint: HintHandler,
    ) -> None:
        self.folder = folder
        self._loop = loop
        self._concerns = concerns
        self._hint = hint
        self._prefix = str(folder).rstrip("/") + "/"

    def on_any_event(self, event: FileSystemEvent) -> None:
        for path in {os.fsdecode(event.src_path), os.fsdecode(event.dest_path)}:
            if path == str(self.folder):
                self.say(Changed(path="", is_folder=True))
            elif path.startswith(self._prefix):
                relative = path[len(self._prefix) :]
                change = Changed(path=relative, is_folder=event.is_directory)
                if self._concerns(change):
                    self.say(change)

    def say(self, hint: Hint) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know
            self._loop.call_soon_threadsafe(self._hint, hint)


def _stop(observer: BaseObserver | None) -> None:
    if observer is not None and observer.is_alive():
        observer.stop()
        observer.join()
