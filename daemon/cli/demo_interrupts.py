"""One interruption, and then time to clean up.

The first Ctrl-C, SIGTERM or SIGHUP raises where the program stands; later ones cannot disturb the
cleaning up. While something is made that has to be noted for removal, the signal waits.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndedBySignal(KeyboardInterrupt):
    """The user or the system wants the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Interrupts:
    """Stands in for the signals' handlers while it is entered; main thread only."""

    def __init__(self) -> None:
        self._held = False
        self._waiting: int | None = None
        self._ignored = False
        self._earlier: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                self._earlier[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def ignore_more(self) -> None:
        """From here on signals do nothing: what is left to do is short and has to be done."""
        self._ignored = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """A signal that arrives inside is raised at the end of the block."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._waiting is not None:
            self._end(self._waiting)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._ignored:
            return
        if self._held:
            self._waiting = number
        else:
            self._end(number)

    def _end(self, number: int) -> None:
        self._ignored = True
        raise EndedBySignal(number)
