"""A bench's report as a table. Pure: values in, rich tables out."""

from collections.abc import Callable
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from daemon.cli import text
from daemon.cli.output import Json

Cell = Callable[[Json], str]
_VERSIONS = (
    "torch", "transformers", "peft", "bitsandbytes", "llama-cpp-python",
    "sqlite", "openssl", "cryptography", "python",
)  # fmt: skip


def table(report: Json) -> Table:
    """One row a measurement; columns in which nothing stands are left out."""
    rows = report["rows"]
    cells: dict[str, Cell] = {
        "ours": lambda row: amount(row["ours"], row["unit"]),
        "best": lambda row: amount(row.get("best"), row["unit"]),
        "stock": lambda row: amount(row["stock"], row["unit"]),
        "better": lambda row: text.NOTHING if row["ratio"] is None else f"{row['ratio']:.2f} x",
        "of limit": lambda row: text.percent(row["share_of_limit"]),
        "bar": lambda row: bar(row.get("bar")),
        "a night": lambda row: millions(row.get("tokens_per_night")),
        "memory": lambda row: text.size(row.get("peak_bytes")),
        "stock's": lambda row: text.size(row.get("stock_peak_bytes")),
    }
    kept = {
        name: cell for name, cell in cells.items() if any(cell(row) != text.NOTHING for row in rows)
    }
    title = text.printable(report["title"])
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column("", min_width=16)
    for name in kept:
        shown.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        shown.add_row(_name(row), *(cell(row) for cell in kept.values()))
    return shown


def _name(row: Json) -> str:
    unit = "" if row["unit"] == "bytes" else f", {row['unit']}"
    note = f" ({row['note']})" if row["note"] else ""
    return text.printable(row["name"] + unit + note)


def amount(value: float | None, unit: str) -> str:
    """A number in about three digits; bytes with their unit."""
    if value is None:
        return text.NOTHING
    if unit == "bytes":
        return text.size(value)
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def bar(held: Json | None) -> str:
    """What was to be reached, and whether it was."""
    if held is None:
        return text.NOTHING
    sign = "≤" if held["at_most"] else "≥"
    missed = "" if held["holds"] else " missed"
    return f"{held['found']:.2f} ({sign} {held['value']:g}){missed}"


def millions(tokens: float | None) -> str:
    """Tokens of a night."""
    return text.NOTHING if tokens is None else f"{tokens / 1e6:.2f} M"


def machine_line(machine: dict[str, Any]) -> str:
    """What the figures were found on."""
    instructions = ", ".join(machine["instructions"]) or "none that matter"
    threads = f"{machine['threads']} threads of " if "threads" in machine else ""
    kernels = f"our kernels: {machine['kernels']}; " if "kernels" in machine else ""
    versions = ", ".join(f"{name} {machine[name]}" for name in _VERSIONS if name in machine)
    return text.printable(
        f"{machine['processor']}, {threads}{machine['cores']} cores, "
        f"{instructions}, {text.size(machine['memory_bytes'])}, load before {machine['load']}\n"
        f"{kernels}{versions}"
    )
