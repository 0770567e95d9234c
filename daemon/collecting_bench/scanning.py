"""A first and a second scan of a tree, beside reading it into plain SQLite and walking over it."""

import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.collecting_bench.trees import house, place_for, source, write_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Scans:
    """Of one tree."""

    bytes: int
    first_cpu_seconds: float
    second_seconds: float
    plain_cpu_seconds: float  # reading, decoding, one table with the texts in clear
    reading_cpu_seconds: float
    walk_seconds: float  # a stat of each


async def scan_twice(folder: Path, count: int, size: int) -> Scans:
    """Each in new files, which are gone afterwards."""
    with place_for(folder, "scan") as place:
        tree = place / "tree"
        written = write_tree(tree, count, seed=1, size=size)
        reading = _cpu_seconds(lambda: _read(tree))
        plain = _cpu_seconds(lambda: _keep_plainly(tree, place / "plain.db"))
        walk = _seconds(lambda: _walk(tree))
        async with house(place) as here:
            began = time.process_time()
            here.collector.add(source(tree))
            counts = await here.collector.rescan()  # joins the scan that `add` began
            first = time.process_time() - began
            assert await here.documents() == count, "not all of it was collected"
            began = time.perf_counter()
            counts = await here.collector.rescan()
            second = time.perf_counter() - began
            assert counts.unchanged == count, "some of it was read again"
    return Scans(
        bytes=written,
        first_cpu_seconds=first,
        second_seconds=second,
        plain_cpu_seconds=plain,
        reading_cpu_seconds=reading,
        walk_seconds=walk,
    )


def _read(tree: Path) -> None:
    for folder, _, names in os.walk(tree):
        for name in names:
            Path(folder, name).read_bytes()


def _keep_plainly(tree: Path, file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE documents (path TEXT PRIMARY KEY, time REAL, text TEXT)")
    for folder, _, names in os.walk(tree):
        rows = []
        for name in names:
            path = Path(folder, name)
            rows.append((str(path), path.stat().st_mtime, path.read_text("utf-8")))
        with connection:
            connection.executemany("INSERT INTO documents VALUES (?, ?, ?)", rows)
    connection.close()


def _walk(tree: Path) -> None:
    for folder, _, names in os.walk(tree):
        for name in names:
            Path(folder, name).lstat()


def _cpu_seconds(act: Callable[[], None]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began


def _seconds(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
