"""What was found, as rows with stable names, and whether the bars hold. Pure.

A bar is set for the whole 7B or for both bases; where it means nothing, a row has none.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from daemon.adding.names import BUILTIN
from daemon.serving_bench.measuring import STREAMS, Found

Row = dict[str, Any]

FIRST_TOKEN_TIMES = 1.3  # of the bare prefill
DECODE_SHARE = 0.9  # of the bare rate
TOGETHER_TIMES = 1.8  # of one stream
SWAP_SECONDS = 1.0
PAUSE_SECONDS = 0.3
COLD_SECONDS = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What a figure may come to at most, or has to at least."""

    value: float
    at_most: bool
    unit: str  # "x" of what it is compared with, or seconds

    def held_to(self, found: float) -> dict[str, Any]:
        holds = found <= self.value if self.at_most else found >= self.value
        word = "at most" if self.at_most else "at least"
        return {
            "found": found,
            "value": self.value,
            "at_most": self.at_most,
            "holds": holds,
            "is": f"{word} {self.value:g} {self.unit}",
        }


def rows_of(found: Found, geometry: str, *, whole: bool) -> list[Row]:
    """
    Args:
        whole: all layers were measured; a part of a base says nothing about the bars.
    """
    large = whole and geometry != BUILTIN
    rows = [
        _first_token(found, bar=whole),
        _decode(found, bar=large),
        _together(found, bar=large),
        _row("second turn", "s", found.kept, stock=found.not_kept,
             note="stock kept nothing"),
        _row("swap, first request", "s", found.swap,
             bar=Bar(value=SWAP_SECONDS, at_most=True, unit="s") if large else None),
        _row("swap, first token", "s", found.swap_first),
        _row("swap, longest pause", "s", found.pause, worst=True,
             bar=Bar(value=PAUSE_SECONDS, at_most=True, unit="s") if whole else None),
        _row("cold start", "s", found.cold,
             bar=Bar(value=COLD_SECONDS, at_most=True, unit="s") if large else None),
    ]  # fmt: skip
    for row in rows:
        row["name"] = f"{geometry} {row['name']}"
        row["geometry"] = geometry
    return rows


def _first_token(found: Found, *, bar: bool) -> Row:
    row = _row(
        "first token", "s", found.first,
        limit=found.bare_first, limit_is="the bare prefill",
    )  # fmt: skip
    if bar and row["share_of_limit"]:
        times = Bar(value=FIRST_TOKEN_TIMES, at_most=True, unit="x the bare prefill")
        row["bar"] = times.held_to(1 / row["share_of_limit"])
    return row


def _decode(found: Found, *, bar: bool) -> Row:
    row = _row(
        "one stream", "tokens/s", found.rate,
        limit=found.bare_rate, limit_is="the bare engine",
    )  # fmt: skip
    if bar and row["share_of_limit"]:
        share = Bar(value=DECODE_SHARE, at_most=False, unit="x the bare rate")
        row["bar"] = share.held_to(row["share_of_limit"])
    return row


def _together(found: Found, *, bar: bool) -> Row:
    row = _row(
        f"{STREAMS} streams", "tokens/s", found.together,
        stock=found.rate, note="stock is one",
    )  # fmt: skip
    if bar and row["ratio"]:
        times = Bar(value=TOGETHER_TIMES, at_most=False, unit="x one stream")
        row["bar"] = times.held_to(row["ratio"])
    return row


def _row(
    name: str,
    unit: str,
    ours: Sequence[float],
    *,
    stock: Sequence[float] = (),
    limit: Sequence[float] = (),
    limit_is: str = "",
    note: str = "",
    bar: Bar | None = None,
    worst: bool = False,
) -> Row:
    """Medians; the worst of all rounds for what must never be longer."""
    mine = max(ours) if worst else statistics.median(ours)
    other = statistics.median(stock) if stock else None
    best = statistics.median(limit) if limit else None
    return {
        "name": name,
        "unit": unit,
        "ours": mine,
        "stock": other,
        "ratio": _better(mine, other, unit),
        "limit": best,
        "limit_is": limit_is,
        "share_of_limit": _better(mine, best, unit),
        "note": note,
        "bar": None if bar is None else bar.held_to(mine),
        "rounds": list(ours),
    }


def _better(ours: float, other: float | None, unit: str) -> float | None:
    if not ours or not other:
        return None
    return other / ours if unit == "s" else ours / other
