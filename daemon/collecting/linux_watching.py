"""inotify for one source: every wanted folder watched, renamed ones followed, nothing else.

Built on watchdog's inotify instance, which reads the events in one thread for all sources. Its own
observer would watch hidden and excluded folders too, keep every event in memory, and keep to itself
that events were lost or that the system gave no more watches.
"""

import ctypes
import errno
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    Watch,
    WatchCallback,
    WatchDescriptor,
    inotify_add_watch,
)

from daemon.collecting.hinting import Changed, Concerns, EventsLost, HintBox

log = logging.getLogger(__name__)

# A file is looked at when it was closed after writing, renamed, linked or deleted. Not asked for:
# each single write, which a file that is left open makes without end, and our own reading.
_GONE = InotifyConstants.IN_MOVED_FROM | InotifyConstants.IN_DELETE
_COME = InotifyConstants.IN_MOVED_TO | InotifyConstants.IN_CREATE
_PLACE_GONE = (
    InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF | InotifyConstants.IN_UNMOUNT
)
_MASK = Mask(
    _GONE
    | _COME
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_DONT_FOLLOW
    | InotifyConstants.IN_EXCL_UNLINK
)


class TooManyFolders(Exception):  # noqa: N818 - says what happened
    """There are more than may be watched."""


class InotifyThread(InotifyFD):
    """One inotify instance for all sources."""

    def watch_folder(self, path: Path, callback: WatchCallback) -> WatchDescriptor:
        """Raises OSError, also where the folder may not be read; watchdog passes over that."""
        with self._lock:
            found = inotify_add_watch(self._inotify_fd, os.fsencode(path), _MASK)
            if found == -1:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
            watch = self._watch_for_wd.setdefault(found, Watch(found, _MASK, b""))
            watch.callbacks[_id(callback)] = callback
            return found

    def let_go(self, watches: list[WatchDescriptor], callback: WatchCallback) -> None:
        self.remove_callbacks([(watch, _id(callback)) for watch in watches])


class FolderWatches:
    """The watches of one source. `begin` and `end` are called once; events come in between.

    Args:
        concerns: which folders are watched, and which files are told of.
        room: how many more watches there may be.
    """

    def __init__(
        self,
        thread: InotifyThread,
        folder: Path,
        *,
        concerns: Concerns,
        box: HintBox,
        room: Callable[[], int],
    ) -> None:
        self._thread = thread
        self._folder = folder
        self._concerns = concerns
        self._box = box
        self._room = room
        self._lock = threading.Lock()
        self._ended = False
        self._path_of: dict[WatchDescriptor, str] = {}
        self._watch_of: dict[str, WatchDescriptor] = {}

    def __len__(self) -> int:
        return len(self._path_of)

    def begin(self, folders: list[str]) -> None:
        """Watch the source's folder and these below it. Raises OSError, TooManyFolders."""
        with self._lock:
            for path in ["", *folders]:
                self._watch(path)
            if folders:  # those that came since they were counted
                for path in wanted_folders(self._folder, self._concerns):
                    self._watch(path)

    def end(self) -> None:
        with self._lock:
            self._ended = True
            self._thread.let_go(list(self._path_of), self)
            self._path_of.clear()
            self._watch_of.clear()

    # ----------------------------------------------------------------------- in watchdog's thread

    def on_event(self, event: InotifyEvent) -> None:
        try:
            self._hear(event)
        except Exception as error:  # the thread is for all sources, and a message may name a path
            log.error("a file event could not be heard (%s)", type(error).__name__)
            self._box.say(EventsLost())

    def _hear(self, event: InotifyEvent) -> None:
        with self._lock:
            folder = self._path_of.get(event.wd)
            if folder is None:
                return
            if not event.name:
                if not folder and event.mask & _PLACE_GONE:
                    self._box.say(Changed(path="", is_folder=True))
                return
            name = os.fsdecode(event.name)
            path = f"{folder}/{name}" if folder else name
            is_folder = bool(event.mask & InotifyConstants.IN_ISDIR)
            change = Changed(path=path, is_folder=is_folder)
            if self._box.is_full and not is_folder:
                self._box.say(change)
                return
            if not self._concerns(change):
                return
            if is_folder and event.mask & _GONE:
                self._drop(path, moved=bool(event.mask & InotifyConstants.IN_MOVED_FROM))
            elif is_folder and event.mask & _COME:
                self._add(path)
        self._box.say(change)  # after the watches, so that nothing falls between the two

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        with self._lock:
            path = self._path_of.pop(wd, None)
            if path is not None and self._watch_of.get(path) == wd:
                del self._watch_of[path]

    def on_queue_overflow(self) -> None:
        self._box.say(EventsLost())

    # ----------------------------------------------------------------------- watches

    def _add(self, path: str) -> None:
        """A folder that came, with all that is in it."""
        try:
            self._watch(path)
            for below in wanted_folders(self._folder, self._concerns, path):
                self._watch(below)
        except (TooManyFolders, OSError):
            self._box.say(EventsLost())  # it is counted anew, and decided anew

    def _watch(self, path: str) -> None:
        """Raises TooManyFolders, and OSError for the source's own folder."""
        known = self._watch_of.get(path)
        if self._ended:
            return
        if known is None and self._room() <= 0:
            raise TooManyFolders
        try:
            watch = self._thread.watch_folder(self._folder / path, self)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise TooManyFolders from None
            if not path:
                raise
            return  # it went, or may not be read: the scan says so
        if watch == known:
            return
        if known is not None:  # another folder took its place
            self._path_of.pop(known, None)
            self._thread.let_go([known], self)
        before = self._path_of.get(watch)
        if before is not None and self._watch_of.get(before) == watch:
            del self._watch_of[before]  # it was renamed, and that event is still to come
        self._path_of[watch] = path
        self._watch_of[path] = watch

    def _drop(self, path: str, *, moved: bool) -> None:
        """A folder that went; one that was deleted had nothing in it any more."""
        within = path + "/"
        gone = [path, *(one for one in self._watch_of if moved and one.startswith(within))]
        watches = [self._watch_of.pop(one) for one in gone if one in self._watch_of]
        for watch in watches:
            self._path_of.pop(watch, None)
        self._thread.let_go(watches, self)


def wanted_folders(folder: Path, concerns: Concerns, top: str = "") -> Iterator[str]:
    """The folders below `top` that a source collects from: no links, no other file system."""
    try:
        device = folder.lstat().st_dev
    except OSError:
        return
    waiting = [top]
    while waiting:
        at = waiting.pop()
        for name in _folders_in(folder / at, device):
            path = f"{at}/{name}" if at else name
            if concerns(Changed(path=path, is_folder=True)):
                yield path
                waiting.append(path)


def _folders_in(place: Path, device: int) -> list[str]:
    try:
        with os.scandir(place) as entries:
            return [
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False)
                and entry.stat(follow_symlinks=False).st_dev == device
            ]
    except OSError:
        return []  # the scan says why


def _id(callback: WatchCallback) -> CallbackId:
    return CallbackId(id(callback))
