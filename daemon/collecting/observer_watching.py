"""File events by watchdog's own observer, where the system watches whole trees (FSEvents)."""

import contextlib
import os
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from daemon.collecting.hinting import Changed, Concerns, HintBox

# Not asked for: that a file was opened or closed unchanged, which our own reading does.
_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]


class TreeWatches:
    """All sources with one observer, one watch for each. Used by one thread at a time."""

    def __init__(self) -> None:
        self._observer: BaseObserver | None = None

    def begin(
        self, folder: Path, *, concerns: Concerns, box: HintBox, below: bool
    ) -> ObservedWatch:
        """Raises OSError, RuntimeError."""
        if self._observer is None or not self._observer.is_alive():
            self._observer = Observer()
            self._observer.start()
        handler = _Handler(folder, concerns, box)
        return self._observer.schedule(handler, str(folder), recursive=below, event_filter=_EVENTS)

    def end(self, watch: ObservedWatch) -> None:
        if self._observer is not None:
            with contextlib.suppress(KeyError, OSError):  # the folder may be gone, and its watch
                self._observer.unschedule(watch)

    def is_alive(self, watch: ObservedWatch) -> bool:
        if self._observer is None or not self._observer.is_alive():
            return False
        return any(one.watch == watch and one.is_alive() for one in self._observer.emitters)

    def close(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None and observer.is_alive():
            observer.stop()
            observer.join()


class _Handler(FileSystemEventHandler):
    """From watchdog's events to hints."""

    def __init__(self, folder: Path, concerns: Concerns, box: HintBox) -> None:
        self._folder = str(folder)
        self._prefix = self._folder.rstrip("/") + "/"
        self._concerns = concerns
        self._box = box

    def on_any_event(self, event: FileSystemEvent) -> None:
        for path in {os.fsdecode(event.src_path), os.fsdecode(event.dest_path)}:
            if path == self._folder:
                self._box.say(Changed(path="", is_folder=True))
            elif path.startswith(self._prefix):
                relative = path[len(self._prefix) :]
                change = Changed(path=relative, is_folder=event.is_directory)
                if self._concerns(change):
                    self._box.say(change)
