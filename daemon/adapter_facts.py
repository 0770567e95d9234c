"""What is told of an adapter: in the list, and of one alone. Pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from daemon.night_record import Record
from storage.exports import Export
from storage.records import Measured, PublishedAdapter

Json = dict[str, Any]

# Of its night, where the log still has it.
NIGHT = ("id", "started_at", "seconds", "documents", "tokens", "steps", "verdict", "sentence")


def listed(adapter: PublishedAdapter, base: str | None) -> Json:
    """A line of `adapters list --json`.

    Args:
        base: identity of the one in use.
    """
    return {
        "sha256": adapter.sha256,
        "parent": adapter.parent,
        "base": adapter.base,
        "of_base_in_use": adapter.base == base,
        "trained_at": adapter.trained_at,
        "status": adapter.status.value,
        "documents": len(adapter.seen_items),
        "pinned": adapter.pinned,
    }


def shown(
    adapter: PublishedAdapter,
    base: str | None,
    *,
    base_name: str | None,
    stored_bytes: int,
    nights: Iterable[Record],
    exports: Iterable[Export],
) -> Json:
    """What `adapters show --json` prints.

    Args:
        base: identity of the one in use.
        base_name: of its own base, None where that is not on this machine.
        stored_bytes: on the disk, sealed.
    """
    made = (night for night in nights if night.get("adapter") == adapter.sha256[:12])
    return listed(adapter, base) | {
        "base_name": base_name,
        "bytes": stored_bytes,
        "night": _night(next(made, None)),
        "measured": _measured(adapter.measured),
        "exports": [{"at": one.at, "folder": one.folder} for one in exports],
    }


def _night(record: Mapping[str, Any] | None) -> Json | None:
    return None if record is None else {name: record.get(name) for name in NIGHT}


def _measured(measured: Measured) -> Json:
    """Figures that are not finite become null."""
    figures = asdict(measured)
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in figures.items()
    }
