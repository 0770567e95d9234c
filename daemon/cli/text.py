"""Values as a person reads them: numbers, sizes, times and plain tables. Pure functions.

Knows nothing of where the text goes. Tables are plain columns, so that `status` and the lists
need no library for printing and pass through `grep` and `cut`.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

NOTHING = "–"  # stands where a value is not known or has no meaning
BIDI_CONTROLS = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))


def count(value: float | None) -> str:
    """A whole number with thin groups: `12,345`."""
    return NOTHING if value is None else f"{value:,.0f}"


def about(value: float) -> str:
    """A number that was estimated: two digits count, the rest is noise."""
    if value < 100:
        return f"{value:.0f}"
    if value >= 1e6:
        million = value / 1e6
        return f"{million:.0f} million" if million >= 10 else f"{million:.1f} million"
    unit = 10 ** (len(str(round(value))) - 2)
    return f"{round(value / unit) * unit:,}"


def size(value: float | None) -> str:
    """Bytes in the unit that suits them, powers of ten as disks and task managers count."""
    if value is None:
        return NOTHING
    for unit in ("B", "kB", "MB"):
        if abs(value) < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.2f} GB"


def duration(seconds: float | None) -> str:
    """`0.4 s`, `42 s`, `3 min 05 s`, `2 h 07 min`."""
    if seconds is None:
        return NOTHING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def number(value: float | None, digits: int = 3) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def percent(share: float | None) -> str:
    """A share as `12.3 %`."""
    return NOTHING if share is None else f"{100 * share:.1f} %"


def change(before: float | None, after: float | None) -> str:
    """How far `after` lies from `before`, as `-12.3 %`."""
    if before is None or after is None or before == 0:
        return NOTHING
    return f"{100 * (after / before - 1):+.1f} %"


def moment(seconds: float | str | None) -> str:
    """A time in seconds since the epoch (or an ISO date) as local `2026-11-21 03:14`."""
    if seconds is None:
        return NOTHING
    if isinstance(seconds, str):
        return printable(seconds)
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def short(digest: str | None) -> str:
    """The first twelve characters of an adapter's digest, its name in `personal@...`."""
    return NOTHING if digest is None else printable(digest)[:12]


def plural(value: int | None, noun: str) -> str:
    """`1 document`, `12 documents`."""
    return f"{count(value)} {noun}" + ("" if value == 1 else "s")


def value(anything: Any) -> str:
    """Whatever the service said, as one printable word or line."""
    if anything is None:
        return NOTHING
    if isinstance(anything, bool):
        return "yes" if anything else "no"
    if isinstance(anything, float):
        return f"{anything:g}"
    return printable(str(anything))


def printable(text: str) -> str:
    """Text without control characters: a file's name or a model's words must not drive the
    terminal, nor turn the line around. Line ends and tabs stay.
    """
    return "".join(
        c
        for c in text
        if c in "\n\t" or (unicodedata.category(c) != "Cc" and c not in BIDI_CONTROLS)
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: str = "") -> str:
    """Columns with two blanks between them; `right` holds an `r` at each right-aligned one."""
    lines = [list(headings), *(list(row) for row in rows)]
    widths = [max(_width(line[i]) for line in lines) for i in range(len(headings))]
    return "\n".join(
        "  ".join(
            _padded(cell, widths[i], right=right[i : i + 1] == "r") for i, cell in enumerate(line)
        ).rstrip()
        for line in lines
    )


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values, one pair a line."""
    found = list(rows)
    widest = max((_width(name) for name, _ in found), default=0)
    return "\n".join(f"{_padded(name, widest, right=False)}  {text}" for name, text in found)


def _padded(cell: str, width: int, *, right: bool) -> str:
    blanks = " " * (width - _width(cell))
    return blanks + cell if right else cell + blanks


def _width(cell: str) -> int:
    """Columns a text takes in a terminal."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in cell
    )
