"""The service's side of extraction: give a file to the child, check and hand on what it answers."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from daemon.collecting.skipping import SkipReason
from daemon.extracting.child_handle import ChildGoneError, ChildHandle, Order, Work
from daemon.extracting.errors import ExtractionFailed
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.formats import FORMATS, PATIENT
from daemon.extracting.limits import Limits, seconds_for
from daemon.extracting.wire import Lie, unpacked
from storage.records import SourceSettings

IDLE_SECONDS = 60.0
DOCUMENT_COST = 1024  # bytes that a document counts besides its body
TRIES = 2  # a child that ended between two files costs none


class Extractor:
    """Reads files of the formats in `formats.py` in a confined child; may be used by many threads.

    The child is started by the first file, and ended when nobody asked for a while.

    Args:
        limits: of one file.
        formats: name, and module:function.
        patient: those that get more time when the file is large.
        idle_seconds: about so long after the last file the child is ended.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        formats: Mapping[str, str] = FORMATS,
        patient: frozenset[str] = PATIENT,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._limits = limits or Limits()
        self._formats = formats
        self._patient = patient
        self._idle_seconds = idle_seconds
        self._changed = threading.Condition()
        self._child: ChildHandle | None = None
        self._uses = 0
        self._used_at = 0.0

    @property
    def process_id(self) -> int | None:
        """Of the child; None while none runs."""
        with self._changed:
            return None if self._child is None or self._child.gone else self._child.process_id

    def documents(
        self,
        descriptor: int,
        *,
        format: str,
        source: SourceSettings,
        path: str,
        size: int,
        most_bytes: int,
    ) -> Iterator[Extracted]:
        """The documents in an open file, made while they are asked for. Blocks.

        Closing the iterator ends the work. The descriptor stays the caller's; it is read from where
        it stands.

        Args:
            source: whose `me` and `own` the extractor is told.
            path: of the file; the extractor is told its last part.
            most_bytes: of the text of one document.

        Raises:
            ExtractionFailed: the file gave nothing, or not all; the documents before it are good.
        """
        function = self._formats.get(format)
        if function is None:
            raise ExtractionFailed(SkipReason.UNKNOWN_FORMAT)
        most = min(most_bytes, self._limits.document_bytes)
        limits = replace(self._limits, document_bytes=most)
        facts = Facts(
            size=size,
            name=path.rpartition("/")[2],
            me=source.me,
            own=source.own,
            most_bytes=most,
        )
        seconds = seconds_for(limits, size, patient=format in self._patient)
        order = Order(function=function, facts=facts, limits=limits, seconds=seconds)
        with self._in_use(), contextlib.closing(self._begin(descriptor, order)) as work:
            yield from _answers(work, limits)

    def close(self) -> None:
        """End the child, and every extraction under way. The next file starts another one."""
        child = self._child
        if child is not None:
            self._let_go(child)

    def _let_go(self, child: ChildHandle) -> None:
        with self._changed:
            if self._child is child:
                self._child = None
                self._changed.notify_all()
        child.end()

    def _begin(self, descriptor: int, order: Order) -> Work:
        for _ in range(TRIES):
            try:
                child = self._running()
                return child.begin(descriptor, order)
            except ChildGoneError:
                self._let_go(child)
            except OSError:
                break
        raise ExtractionFailed(SkipReason.UNREADABLE)

    def _running(self) -> ChildHandle:
        with self._changed:
            if self._child is not None and not self._child.gone:
                return self._child
            if self._child is not None:
                self._child.end()
            child = self._child = ChildHandle.start()
            idle = threading.Thread(
                target=self._end_when_idle, args=(child,), name="extractor idle", daemon=True
            )
            idle.start()
            return child

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        with self._changed:
            self._uses += 1
        try:
            yield
        finally:
            with self._changed:
                self._uses -= 1
                self._used_at = time.monotonic()

    def _end_when_idle(self, child: ChildHandle) -> None:
        """Looks now and then, not after every file: it ends up to twice as late."""
        with self._changed:
            while self._child is child:
                left = self._used_at + self._idle_seconds - time.monotonic()
                if self._uses == 0 and left <= 0:
                    self._child = None
                    break
                self._changed.wait(left if left > 0 else max(self._idle_seconds, 0.01))
            else:
                return  # somebody else ended it
        child.end()


def _answers(work: Work, limits: Limits) -> Iterator[Extracted]:
    """What the worker says, as far as it can be believed."""
    taken = 0
    while True:
        message = work.receive()
        taken += len(message.body) + DOCUMENT_COST
        if taken > limits.file_bytes:
            raise ExtractionFailed(SkipReason.BOMB)
        try:
            said = unpacked(message, limits)
        except Lie:
            raise ExtractionFailed(SkipReason.DAMAGED) from None
        if said is None:
            return
        if isinstance(said, SkipReason):
            raise ExtractionFailed(said)
        yield said
