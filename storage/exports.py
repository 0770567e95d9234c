"""Adapters that left the vault in clear, as the events tell of them. Pure.

Knows nothing of how an export is made. What left cannot be called back, so whoever withdraws an
adapter or shows one asks here.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

EXPORTED = "exported"  # everything: `digests` of the adapters among it
ADAPTER_EXPORTED = "adapter_exported"  # one: its `digest`


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One adapter, once."""

    sha256: str
    event: int
    at: float | None  # seconds since the epoch
    folder: str | None = field(repr=False)  # where its files were to go, as the command said


def adapter_exports(
    events: Iterable[Mapping[str, Any]], digests: Collection[str] | None = None
) -> list[Export]:
    """Oldest first.

    Args:
        events: of the ledger.
        digests: only of these adapters; of all where it is None.
    """
    return [
        Export(
            sha256=digest,
            event=event["id"],
            at=event.get("at"),
            folder=event["facts"].get("folder"),
        )
        for event in events
        for digest in _digests(event)
        if digests is None or digest in digests
    ]


def _digests(event: Mapping[str, Any]) -> tuple[str, ...]:
    if event["kind"] == EXPORTED:
        return tuple(event["facts"].get("digests", ()))
    if event["kind"] == ADAPTER_EXPORTED:
        return (event["facts"]["digest"],)
    return ()
