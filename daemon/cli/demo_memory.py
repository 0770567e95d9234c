"""The most memory that the demo and all its processes held at one moment."""

import os
import threading
from typing import Self

from daemon.cli.process_tree import descendants, memory_bytes

EVERY_SECONDS = 1.0


class PeakMemory:
    """Looks once a second from a thread of its own while it is entered."""

    def __init__(self, every_seconds: float = EVERY_SECONDS) -> None:
        self._every_seconds = every_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak memory", daemon=True)
        self._noting = threading.Lock()
        self._peak = 0

    def peak_bytes(self) -> int | None:
        """The most until now, this moment included; None where memory cannot be measured."""
        self._look()
        return self._peak or None

    @property
    def noticed_bytes(self) -> int:
        """The most that the thread has seen."""
        return self._peak

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self._every_seconds):
            self._look()

    def _look(self) -> None:
        own = os.getpid()
        found = memory_bytes((own, *descendants(own)))
        with self._noting:
            self._peak = max(self._peak, found)
