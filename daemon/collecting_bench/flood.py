"""Very many files written at once into a watched folder, and the calm after it."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from daemon.collecting_bench.trees import SOURCE, House, house, place_for, source, write_tree
from storage.bench.machine import peak_bytes, reset_peak

LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 300.0
CALM_LOOKS = 6  # without a new document: nothing more comes by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """What became of them; shares are of 1."""

    collected: float  # from events alone
    after_rescan: float
    twice: int
    seconds: float  # from the last file to the last document
    peak_bytes: int  # of the process, texts of the writer not among them
    idle_share: float  # of a core
    wake_ups: float  # a second


async def flood(folder: Path, count: int, *, idle_seconds: float) -> Flood:
    """In new files, which are gone afterwards. The files are written by another process."""
    with place_for(folder, "flood") as place:
        tree = place / "tree"
        tree.mkdir()
        async with house(place) as here:
            here.collector.add(source(tree))
            await here.collector.rescan()
            reset_peak()
            await _write_elsewhere(tree, count)
            written = time.monotonic()
            seconds = await _until_calm(here, count) - written
            by_events = await here.documents()
            await here.collector.rescan()
            documents = await here.documents()
            peak = peak_bytes() or 0
            idle, wakes = await _idle(idle_seconds)
            different = await here.vault.call(
                lambda vault: vault.documents.counts_by_source().get(SOURCE, 0)
            )
    return Flood(
        collected=min(by_events, count) / count,
        after_rescan=min(documents, count) / count,
        twice=max(0, documents - count, different - count),
        seconds=max(0.0, seconds),
        peak_bytes=peak,
        idle_share=idle,
        wake_ups=wakes,
    )


async def _write_elsewhere(tree: Path, count: int) -> None:
    loop = asyncio.get_running_loop()
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        await loop.run_in_executor(pool, _write, tree, count)


def _write(tree: Path, count: int) -> None:
    write_tree(tree / "new", count, seed=2)


async def _until_calm(here: House, count: int) -> float:
    """When the last document came."""
    end = time.monotonic() + PATIENCE_SECONDS
    seen, calm, last = -1, 0, time.monotonic()
    while calm < CALM_LOOKS and time.monotonic() < end:
        now = await here.documents()
        if now != seen:
            seen, calm, last = now, 0, time.monotonic()
        elif now >= count:
            break
        else:
            calm += 1
        await asyncio.sleep(LOOK_SECONDS)
    return last


async def _idle(seconds: float) -> tuple[float, float]:
    """Share of a core, and voluntary context switches a second, of this process."""
    cpu, switches = time.process_time(), _switches()
    await asyncio.sleep(seconds)
    return (time.process_time() - cpu) / seconds, (_switches() - switches) / seconds


def _switches() -> int:
    """Of all threads; 0 where the system does not tell."""
    total = 0
    for status in Path("/proc/self/task").glob("*/status"):
        for line in status.read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total
