"""watchdog's inotify observer, made to tell what it keeps to itself: lost events, missing watches.

watchdog 7.1 recovers from an overflowing queue but tells nobody that events are gone, and it goes
on without the watches that the system did not give (`fs.inotify.max_user_watches`). Both are
silent losses for a collector, so both are called out here.
"""

import errno
from collections.abc import Callable

from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyEmitter, InotifyObserver
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)


class OutspokenInotify(InotifyFD):
    """One inotify instance; calls from its own thread and from those that add watches."""

    def __init__(self, *, lost: Callable[[], None], exhausted: Callable[[bytes], None]) -> None:
        super().__init__()
        self._lost = lost
        self._exhausted = exhausted

    def handle_event(self, event: InotifyEvent) -> None:
        super().handle_event(event)
        if event.is_queue_overflow:
            self._lost()

    def add_callback(
        self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
    ) -> WatchDescriptor:
        try:
            return super().add_callback(path, mask, callback, id_)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                self._exhausted(path)
            raise


class LinuxObserver(InotifyObserver):
    """An observer on an inotify instance that speaks out."""

    def __init__(self, *, lost: Callable[[], None], exhausted: Callable[[bytes], None]) -> None:
        self._inotify_fd = OutspokenInotify(lost=lost, exhausted=exhausted)
        self._inotify_fd.start()
        BaseObserver.__init__(self, InotifyEmitter, inotify_fd=self._inotify_fd)
