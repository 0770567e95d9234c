"""What is said about a source's files, and how it gets from the system's threads into the loop.

However many events there are, only so many are kept: beyond them it is said once that there were
many, and a look at everything is cheaper.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

MOST_HINTS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Something may have changed at `path`, relative to the source; empty is the source itself."""

    path: str = field(repr=False)
    is_folder: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyChanged:
    """Too much changed to name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsLost:
    """Events were dropped, and watches may be missing: only a rescan can tell what changed."""


Hint = Changed | ManyChanged | EventsLost
HintHandler = Callable[[Hint], None]
Concerns = Callable[[Changed], bool]


class HintBox:
    """Put hints in from any thread; `hint` gets each in the loop, equal ones once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, hint: HintHandler) -> None:
        self._loop = loop
        self._hint = hint
        self._lock = threading.Lock()
        self._waiting: dict[Hint, None] = {}

    @property
    def is_full(self) -> bool:
        """Whether it makes no difference any more what is said about a file."""
        return len(self._waiting) >= MOST_HINTS

    def say(self, hint: Hint) -> None:
        with self._lock:
            first = not self._waiting
            if self.is_full and isinstance(hint, Changed) and hint.path:
                hint = ManyChanged()
            self._waiting[hint] = None
        if first:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            hints, self._waiting = self._waiting, {}
        for hint in hints:
            self._hint(hint)
