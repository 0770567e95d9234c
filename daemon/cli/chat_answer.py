"""Answers while they come: one, or several at once, until all have ended or Ctrl-C stops them.

A thread reads each stream; what comes is told to a view on the thread that called. Knows neither
terminals nor conversations.
"""

import queue
import signal
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from ipc.answer_events import AnswerEvent, Begun, Ended, Text, Usage
from ipc.inference import Loading


class Stream(Protocol):
    """The part of `AnswerStream` that is needed here."""

    def __next__(self) -> AnswerEvent: ...

    def close(self) -> None: ...


class View(Protocol):
    """Who is told; `place` is the number of the answer."""

    pulse_seconds: float | None  # `pulse` is called when so long nothing came; None: never

    def loading(self, place: int, share: float) -> None: ...

    def piece(self, place: int, text: str) -> None: ...

    def pulse(self) -> None: ...

    def ended(self, place: int, *, stopped: bool) -> None:
        """Nothing comes any more; `stopped` by Ctrl-C, before its end."""
        ...

    def close(self) -> None:
        """All have ended."""
        ...


@dataclass(slots=True)
class Answer:
    """What came of one request."""

    asked: str  # the model
    pieces: list[str] = field(default_factory=list, repr=False)
    id: str | None = None
    version: str | None = None  # that answered
    reason: str | None = None  # "stop", "length"; None where it did not come to its end
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float = 0.0  # from the first piece to the last
    stopped: bool = False  # by Ctrl-C
    error: Exception | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def tokens_per_second(self) -> float | None:
        """Of the answer after its first token; None where that says nothing."""
        if self.completion_tokens is None or self.completion_tokens < 2 or self.seconds <= 0:
            return None
        return (self.completion_tokens - 1) / self.seconds


_ENDED, _STOP = "ended", "stop"
_Come = tuple[int, AnswerEvent | Exception | str]


def answers(
    streams: Sequence[Stream],
    asked: Sequence[str],
    view: View,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> list[Answer]:
    """What came of each. Ctrl-C hangs up all of them and raises nothing."""
    come: queue.SimpleQueue[_Come] = queue.SimpleQueue()
    found = [Answer(asked=model) for model in asked]
    began: list[float | None] = [None] * len(found)
    open_ones = set(range(len(found)))
    stopped = False
    try:
        with _interrupts(lambda: come.put((-1, _STOP))):
            for place, stream in enumerate(streams):
                reading = (stream, place, come)
                threading.Thread(target=_read, args=reading, daemon=True).start()
            while open_ones:
                try:
                    place, what = come.get(timeout=view.pulse_seconds)
                except queue.Empty:
                    view.pulse()
                    continue
                if what == _STOP:
                    stopped = True
                    _close(streams)
                    continue
                answer = found[place]
                match what:
                    case Loading():
                        view.loading(place, what.share)
                    case Begun():
                        answer.id, answer.version = what.id, what.model
                    case Text(choice=0) if not stopped:
                        now = clock()
                        began[place] = first = began[place] or now
                        answer.seconds = now - first
                        answer.pieces.append(what.text)
                        view.piece(place, what.text)
                    case Ended(choice=0):
                        answer.reason = what.reason
                    case Usage():
                        answer.prompt_tokens = what.prompt_tokens
                        answer.completion_tokens = what.completion_tokens
                    case Exception():
                        answer.error = what
                    case str():
                        open_ones.discard(place)
                        answer.stopped = stopped and answer.reason is None
                        view.ended(place, stopped=answer.stopped)
            view.close()
    finally:
        _close(streams)
    return found


def _close(streams: Sequence[Stream]) -> None:
    for stream in streams:
        stream.close()


def _read(stream: Stream, place: int, come: "queue.SimpleQueue[_Come]") -> None:
    try:
        while True:
            come.put((place, next(stream)))
    except StopIteration:
        pass
    except Exception as error:
        come.put((place, error))
    finally:
        come.put((place, _ENDED))


@contextmanager
def _interrupts(told: Callable[[], None]) -> Generator[None, None, None]:
    """Ctrl-C calls `told` and raises nothing, so that it breaks into no line that is drawn."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(_number: int, _frame: FrameType | None) -> None:
        told()

    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
