"""How much room adapters may take, which of them are pinned, and which lose their weights first.

Ancestors of the adapter in use are pinned at growing distances, so that forgetting an old document
costs weeks of learning and not everything. Distances are counted in adapters and not from now: a
clock that jumps takes nothing away. The record of an adapter stays when its weights go.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from storage.adapter_shelf import AdapterShelf
from storage.adapter_withdrawal import WITHOUT_WEIGHTS
from storage.errors import AdapterInUse, AdapterPinned
from storage.records import AdapterStatus
from storage.sealed_database import SealedDatabase
from storage.sealed_files import SealedFiles
from storage.sealed_table import SealedTable

NIGHTS, WEEKS, MONTHS = 7, 4, 12  # adapters to go back to, one for each
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """An adapter as the quota sees it."""

    sha256: str
    base: str
    parent: str | None
    trained_at: float  # seconds since the epoch
    size: int  # bytes on the disk
    current: bool
    withdrawn: bool


def to_keep(adapters: Sequence[Shelved]) -> frozenset[str]:
    """Digests of those that no quota touches. Pure.

    The one in use, its last ancestors, and beyond them the newest of each of some weeks and months;
    of every other base the newest one.

    Args:
        adapters: oldest first.
    """
    current = next((one for one in adapters if one.current), None)
    newest = {one.base: one for one in adapters if not one.withdrawn}
    lines = [_usable_line(one, adapters) for one in (current, *newest.values()) if one is not None]
    kept = {line[0].sha256 for line in lines if line}
    if current is not None and lines[0]:
        line = lines[0]
        kept |= {one.sha256 for one in line[: NIGHTS + 1]}
        kept |= _newest_of_each(line, WEEKS, lambda one: one.trained_at // (7 * DAY_SECONDS))
        kept |= _newest_of_each(line, MONTHS, lambda one: one.trained_at // (30 * DAY_SECONDS))
    return frozenset(kept)


def to_clear(adapters: Sequence[Shelved], *, limit_bytes: int | None) -> tuple[str, ...]:
    """Digests of those whose weights have to go, oldest first. Pure.

    What is kept may take more than the limit; then nothing else is left.
    """
    kept = to_keep(adapters)
    used = sum(one.size for one in adapters if not one.withdrawn)
    gone = []
    for one in adapters:
        if limit_bytes is None or used <= limit_bytes:
            break
        if one.sha256 not in kept and not one.withdrawn:
            gone.append(one.sha256)
            used -= one.size
    return tuple(gone)


def _usable_line(newest: Shelved, adapters: Sequence[Shelved]) -> list[Shelved]:
    """It and its ancestors, newest first, without those that have no weights."""
    by_digest = {one.sha256: one for one in adapters}
    line: list[Shelved] = []
    at: Shelved | None = newest
    for _ in adapters:  # no longer than there are adapters, whatever the records say
        if at is None:
            break
        line.append(at)
        at = by_digest.get(at.parent or "")
    return [one for one in line if one.current or not one.withdrawn]


def _newest_of_each(
    line: Iterable[Shelved], count: int, period: Callable[[Shelved], float]
) -> set[str]:
    """The first of each of the last `count` periods that have any."""
    found: dict[float, str] = {}
    for one in line:
        found.setdefault(period(one), one.sha256)
    return set(list(found.values())[:count])


class AdapterQuota:
    """The shelf within its bounds."""

    def __init__(self, database: SealedDatabase, shelf: AdapterShelf, files: SealedFiles) -> None:
        self._database = database
        self._table = SealedTable(database, "adapters")
        self._shelf = shelf
        self._files = files

    def shelved(self) -> list[Shelved]:
        """Oldest first; an adapter whose record is damaged is left out and left alone."""
        sizes = dict(self._sizes())
        return [
            Shelved(
                sha256=one.sha256,
                base=one.base,
                parent=one.parent,
                trained_at=one.trained_at,
                size=sizes.get(one.sha256, 0),
                current=one.status is AdapterStatus.CURRENT,
                withdrawn=one.status is AdapterStatus.WITHDRAWN,
            )
            for one in reversed(self._shelf.list())
        ]

    def used_bytes(self) -> int:
        """On the disk, of all adapters that have weights."""
        query = "SELECT coalesce(sum(bytes), 0) FROM sealed_files WHERE purpose = ?"
        return int(self._database.fetch(query, [self._files.purpose])[0][0])

    def apply(self, limit_bytes: int | None) -> tuple[str, ...]:
        """Pin what is to be kept and clear what is too much; the digests of what went."""
        with self._database.transaction():
            adapters = self.shelved()
            self._pin(to_keep(adapters))
            gone = to_clear(adapters, limit_bytes=limit_bytes)
            for digest in gone:
                self._clear(digest)
        return gone

    def delete(self, digest: str, *, pinned: bool = False) -> int:
        """Clear an adapter because the user says so; the bytes that became free.

        Args:
            pinned: also one that `to_keep` names.

        Raises `UnknownAdapter`, `AmbiguousAdapter`, `AdapterDamaged`, `AdapterInUse`,
        `AdapterPinned`.
        """
        with self._database.transaction():
            adapter = self._shelf.get(digest)
            if adapter.status is AdapterStatus.CURRENT:
                raise AdapterInUse(sha12=adapter.sha256[:12])
            if adapter.status is AdapterStatus.WITHDRAWN:
                return 0
            if not pinned and adapter.sha256 in to_keep(self.shelved()):
                raise AdapterPinned(sha12=adapter.sha256[:12])
            size = dict(self._sizes())[adapter.sha256]
            self._clear(adapter.sha256)
            self._pin(to_keep(self.shelved()))
        return size

    # ----------------------------------------------------------------------- inside

    def _sizes(self) -> Iterable[tuple[str, int]]:
        sizes = dict(self._database.fetch("SELECT id, bytes FROM sealed_files"))
        return ((record["sha256"], sizes[row["file"]]) for row, record in self._table.intact())

    def _pin(self, kept: frozenset[str]) -> None:
        for row, record in list(self._table.intact()):
            pinned = int(record["sha256"] in kept)
            if row["pinned"] != pinned:
                self._table.mark(row, pinned=pinned)

    def _clear(self, digest: str) -> None:
        row = next(row for row, record in self._table.intact() if record["sha256"] == digest)
        self._table.mark(row, withdrawn=WITHOUT_WEIGHTS, pinned=0)
        self._files.empty(row["file"])
        self._database.observe("quota:adapter")
