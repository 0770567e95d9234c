"""Both sides do the same in turns, each round in new files; what is told are medians.

A row's `limit` is the same number of texts sealed or opened with nothing around it: one AES-256-GCM
with a key of its own each, the work that cannot be left out.
"""

import gc
import os
import random
import shutil
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage.bench.machine import machine_facts, peak_bytes, reset_peak
from storage.bench.sides import Ours, Plain, Side
from storage.bench.texts import documents
from storage.records import RedactedDocument
from storage.sealing import KEY_BYTES, NONCE_BYTES

TRANSACTION = 1000  # documents in one
TEXT_BYTES = 2048
MOST_SINGLE_READS = 5000
Say = Callable[[str], None]
Figures = dict[str, list[float]]  # per measurement, one of each round
_RATE = "documents/s"
_ROWS = {
    "insert": "insert",
    "scan": "read all",
    "read": "read one, random",
    "look_up": "known already",
    "rotate": "wrap anew",
    "verify": "verify",
}
_UNITS = {"rotate": "keys/s"}
_LIMITS = {"insert": "seal", "scan": "open", "read": "open"}


def compare(folder: Path, *, count: int, rounds: int, say: Say) -> dict[str, Any]:
    """The report as JSON. `folder` has to exist; it is empty again afterwards."""
    machine = machine_facts()  # the load before, not our own
    say("making the texts")
    texts = documents(count, TEXT_BYTES)
    ours: Figures = defaultdict(list)
    plain: Figures = defaultdict(list)
    limits: Figures = defaultdict(list)
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        for make, figures in ((Ours, ours), (Plain, plain)):
            place = folder / make.__name__.lower()
            place.mkdir()
            try:
                _measure(make(place), texts, figures)
            finally:
                shutil.rmtree(place)
        _measure_limits(count, limits)
    return {
        "title": f"vault, {count:,} documents of {TEXT_BYTES:,} bytes, "
        f"{TRANSACTION:,} a transaction, medians of {rounds}",
        "machine": machine,
        "rows": [*_rates(ours, plain, limits), *_sizes(ours, plain)],
    }


def _measure(side: Side, texts: Sequence[RedactedDocument], figures: Figures) -> None:
    before = reset_peak()
    try:
        count = len(texts)
        parts = [texts[start : start + TRANSACTION] for start in range(0, count, TRANSACTION)]
        numbers = random.Random(2).sample(range(1, count + 1), min(count, MOST_SINGLE_READS))
        work: dict[str, Callable[[], int]] = {
            "insert": lambda: sum(map(side.insert, parts)),
            "scan": side.scan,
            "read": lambda: side.read(numbers),
            "look_up": lambda: sum(map(side.look_up, parts)),
        }
        if isinstance(side, Ours):
            work["rotate"] = side.rotate
        work["verify"] = side.verify
        for name, act in work.items():
            figures[name].append(_rate(act, len(numbers) if name == "read" else count))
        figures["size"].append(side.size_bytes())
    finally:
        side.close()
    peak = peak_bytes()
    if before is not None and peak is not None:
        figures["peak"].append(max(peak - before, 0))


def _measure_limits(count: int, limits: Figures) -> None:
    keys = [os.urandom(KEY_BYTES) for _ in range(count)]
    nonce, text = os.urandom(NONCE_BYTES), os.urandom(TEXT_BYTES)
    sealed = [AESGCM(key).encrypt(nonce, text, None) for key in keys]

    def seal() -> int:
        return sum(bool(AESGCM(key).encrypt(nonce, text, None)) for key in keys)

    def open_() -> int:
        return sum(
            bool(AESGCM(key).decrypt(nonce, one, None))
            for key, one in zip(keys, sealed, strict=True)
        )

    limits["seal"].append(_rate(seal, count))
    limits["open"].append(_rate(open_, count))


def _rate(act: Callable[[], int], least: int) -> float:
    gc.collect()
    began = time.perf_counter()
    done = act()
    seconds = time.perf_counter() - began
    assert done >= least, "not all of it was done"
    return done / seconds


def _rates(ours: Figures, plain: Figures, limits: Figures) -> list[dict[str, Any]]:
    rows = []
    for name, shown in _ROWS.items():
        limit = limits[_LIMITS[name]] if name in _LIMITS else []
        rows.append(
            _row(
                shown,
                _UNITS.get(name, _RATE),
                ours[name],
                plain[name],
                limit=limit,
                limit_is=f"AES-256-GCM alone, {_LIMITS[name]}" if limit else "",
                best=max(ours[name]),
            )
        )
    return rows


def _sizes(ours: Figures, plain: Figures) -> list[dict[str, Any]]:
    return [
        _row("size on disk", "bytes", ours["size"], plain["size"]),
        _row("memory", "bytes", ours["peak"], plain["peak"]),
    ]


def _row(
    name: str,
    unit: str,
    ours: list[float],
    stock: list[float],
    *,
    limit: Sequence[float] = (),
    limit_is: str = "",
    best: float | None = None,
) -> dict[str, Any]:
    mine, theirs, bound = _median(ours), _median(stock), _median(limit)
    less_is_better = unit == "bytes"
    return {
        "name": name,
        "unit": unit,
        "ours": mine,
        "stock": theirs,
        "ratio": _better(mine, theirs, less_is_better=less_is_better),
        "limit": bound,
        "limit_is": limit_is,
        "share_of_limit": _better(mine, bound, less_is_better=less_is_better),
        "best": best,
        "note": "",
    }


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _better(ours: float | None, other: float | None, *, less_is_better: bool) -> float | None:
    """How many times better we are."""
    if not ours or not other:
        return None
    return other / ours if less_is_better else ours / other
