"""Times of several ways to do one thing, taken in turn, so that a busy moment hits all of them."""

import statistics
import time
from collections.abc import Callable, Mapping

Timed = Callable[[], float]
"""Does the thing once and returns its seconds."""


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def timed(work: Callable[[], object]) -> Timed:
    return lambda: seconds_of(work)


def medians(ways: Mapping[str, Timed], *, rounds: int, warm_up: int = 1) -> dict[str, float]:
    """Median seconds of each way over rounds in which every way has its turn."""
    for way in ways.values():
        for _ in range(warm_up):
            way()
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(way())
    return {name: statistics.median(seconds) for name, seconds in found.items()}
