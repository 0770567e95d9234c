"""What a bench found, as rows with stable names. Pure.

A row compares one thing done by us and the stock way. Its ratio says how many times better we
are, whether more or less of the unit is better; the share says how near we are to the limit.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

LESS_IS_BETTER = frozenset({"ms", "s", "bytes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`limit` in the same unit, measured in the same run; None where something has no meaning.

    `difference` is how far the two results lay apart, relative to their size.
    """

    name: str
    unit: str
    ours: float | None
    stock: float | None = None
    limit: float | None = None
    limit_is: str = ""
    tokens_per_night: float | None = None  # ours, in 8 hours
    peak_bytes: int | None = None  # ours
    stock_peak_bytes: int | None = None
    expected_peak_bytes: int | None = None  # of ours in a night, as planned
    difference: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return _better(self.ours, self.stock, self.unit)

    @property
    def share_of_limit(self) -> float | None:
        return _better(self.ours, self.limit, self.unit)

    @property
    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": self.ratio, "share_of_limit": self.share_of_limit}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All rows of one run, and the facts about the machine that they were found on."""

    title: str
    machine: dict[str, Any]
    rows: list[Row] = field(default_factory=list)

    @property
    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "machine": self.machine,
            "rows": [row.as_json for row in self.rows],
        }


def _better(ours: float | None, other: float | None, unit: str) -> float | None:
    if not ours or not other:
        return None
    return other / ours if unit in LESS_IS_BETTER else ours / other
