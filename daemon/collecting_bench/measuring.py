"""All of the bench, one part after the other, and its report.

Rates are those of one core: bytes by the processor time of the process, reading and sealing threads
together. Seconds are those of the clock.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.collecting_bench.copies import find_copies
from daemon.collecting_bench.flood import Flood, flood
from daemon.collecting_bench.scanning import Scans, scan_twice
from daemon.collecting_bench.trees import LARGE_BYTES, SMALL_BYTES
from storage.bench.machine import machine_facts

Say = Callable[[str], None]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much of everything."""

    files: int  # of 2 KiB, that are scanned twice; of 8 KiB a fourth of them
    at_once: int  # that are written into a watched folder
    rounds: int  # of scanning
    letters: int  # among which copies are looked for
    idle_seconds: float


async def measure(folder: Path, amounts: Amounts, say: Say) -> dict[str, Any]:
    """The report as JSON. `folder` has to exist; it is empty again afterwards."""
    machine = machine_facts()  # the load before, not our own
    small, large = [], []
    for number in range(amounts.rounds):
        say(f"scanning {amounts.files:,} files, round {number + 1} of {amounts.rounds}")
        small.append(await scan_twice(folder, amounts.files, SMALL_BYTES))
        fewer = max(1, amounts.files * SMALL_BYTES // LARGE_BYTES)
        large.append(await scan_twice(folder, fewer, LARGE_BYTES))
    say(f"writing {amounts.at_once:,} files into a watched folder")
    flooded = await flood(folder, amounts.at_once, idle_seconds=amounts.idle_seconds)
    say(f"looking for copies among {amounts.letters:,} letters")
    copies = find_copies(amounts.letters)
    return {
        "title": f"collecting, {amounts.files:,} files, {amounts.at_once:,} at once, "
        f"medians of {amounts.rounds}",
        "machine": machine,
        "rows": [
            _first_scan("first scan, files of 2 KiB", small),
            _first_scan("first scan, files of 8 KiB", large),
            _second_scan(small),
            *_of_flood(flooded),
            _row("copies found", "%", 100 * copies.found, limit=100.0),
            _row("different letters called copies", "%", 100 * copies.wrong),
        ],
    }


def _first_scan(name: str, scans: Sequence[Scans]) -> Row:
    first = [one.bytes / one.first_cpu_seconds / 1e6 for one in scans]
    plain = [one.bytes / one.plain_cpu_seconds / 1e6 for one in scans]
    reading = [one.bytes / one.reading_cpu_seconds / 1e6 for one in scans]
    return _row(
        name,
        "MB/s of a core",
        statistics.median(first),
        stock=statistics.median(plain),
        limit=statistics.median(reading),
        limit_is="opening and reading the files alone",
        note="stock keeps texts in plain SQLite",
        best=max(first),
    )


def _second_scan(scans: Sequence[Scans]) -> Row:
    return _row(
        "second scan, nothing changed",
        "s",
        statistics.median(one.second_seconds for one in scans),
        stock=statistics.median(one.walk_seconds for one in scans),
        note="stock walks and looks at each",
        less_is_better=True,
    )


def _of_flood(found: Flood) -> list[Row]:
    return [
        _row("written at once, collected", "%", 100 * found.collected, limit=100.0),
        _row("written at once, kept twice", "documents", float(found.twice)),
        _row("from the last file to the last document", "s", found.seconds),
        _row("after one rescan more, collected", "%", 100 * found.after_rescan, limit=100.0),
        _row("memory while that", "bytes", float(found.peak_bytes)),
        _row("idle with all of it watched", "% of a core", 100 * found.idle_share),
        _row("idle, wake-ups", "a second", found.wake_ups),
    ]


def _row(
    name: str,
    unit: str,
    ours: float,
    *,
    stock: float | None = None,
    limit: float | None = None,
    limit_is: str = "",
    note: str = "",
    best: float | None = None,
    less_is_better: bool = False,
) -> Row:
    ratio = None
    if stock and ours:
        ratio = stock / ours if less_is_better else ours / stock
    return {
        "name": name,
        "unit": unit,
        "ours": ours,
        "stock": stock,
        "ratio": ratio,
        "limit": limit,
        "limit_is": limit_is,
        "share_of_limit": ours / limit if limit else None,
        "best": best,
        "note": note,
    }
