"""What the service and its engine hold while they are used: looked at all the time, judged in the
end. Looking costs nothing of what is measured.
"""

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from daemon.memory_reading import resident_bytes

MOST_GROWTH = 0.05
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Resident bytes at one moment, `seconds` after the beginning."""

    seconds: float
    service: int
    engine: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Medians of the looks while nobody asked anything."""

    service: int
    engine: int

    @classmethod
    def of(cls, looks: Sequence[Look]) -> Self:
        return cls(
            service=round(statistics.median(look.service for look in looks)),
            engine=round(statistics.median(look.engine for look in looks)),
        )

    def growth(self, before: "Rest") -> dict[str, float]:
        """Of each process, as a share of what it held before."""
        return {
            "service": self.service / before.service - 1,
            "engine": self.engine / before.engine - 1,
        }


def too_much(growth: dict[str, float]) -> list[str]:
    """Which of them grew by more than is allowed."""
    return [name for name, share in growth.items() if share >= MOST_GROWTH]


@dataclass
class Memory:
    """Looks at both processes on a thread of its own while the context is entered.

    Args:
        service: its process.
        engine: asks for the engine's process, which may change.
    """

    service: int
    engine: Callable[[], int | None]
    looks: list[Look] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def at_rest(self, seconds: float) -> Rest:
        """What they hold now; asked when nobody asks them anything."""
        end = time.monotonic() + seconds
        looks = [self._look()]
        while time.monotonic() < end:
            self._over.wait(LOOK_SECONDS / 5)
            looks.append(self._look())
        return Rest.of(looks)

    def _run(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self.looks.append(self._look())

    def _look(self) -> Look:
        engine = self.engine()
        return Look(
            seconds=time.monotonic() - self._began,
            service=resident_bytes(self.service),
            engine=0 if engine is None else resident_bytes(engine),
        )
