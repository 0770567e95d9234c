"""Which adapters fall when items are forgotten, and which one serves then. Pure.

An adapter that saw an item may know it by heart, and so may all that was made from it. What cannot
be read counts as tainted.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# In the column `withdrawn`: why an adapter has no weights.
WITHDRAWN = 1  # it saw what was forgotten
WITHOUT_WEIGHTS = 2  # a quota or its user took them, to make room


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAdapter:
    """One row of the shelf, as far as it can be read."""

    number: int
    sha256: str | None  # None: its record does not open
    base: str | None
    parent: str | None
    seen_items: frozenset[int]
    withdrawn: bool  # because of something that was forgotten
    has_weights: bool = True  # False: withdrawn, or gone to make room
    current: bool
    made_room: bool = False  # withdrawn by a quota or by hand, not for what it saw


def kept_adapter(
    row: Mapping[str, Any], record: Mapping[str, Any] | None, current: int | None
) -> KeptAdapter:
    known = record or {}
    return KeptAdapter(
        number=row["id"],
        sha256=known.get("sha256"),
        base=known.get("base"),
        parent=known.get("parent"),
        seen_items=frozenset(known.get("seen_items", ())),
        withdrawn=row["withdrawn"] == WITHDRAWN,
        has_weights=not row["withdrawn"],
        made_room=row["withdrawn"] == WITHOUT_WEIGHTS,
        current=row["id"] == current,
    )


def tainted(
    kept: Sequence[KeptAdapter], items: Collection[int], *, everything: bool = False
) -> list[KeptAdapter]:
    """Those that saw one of the items, those that do not say, and what was made from any of them.

    Args:
        kept: oldest first: nothing is made from what is younger.
        everything: no adapter is clean.
    """
    wanted = frozenset(items)
    fallen: set[str] = {str(one.sha256) for one in kept if one.withdrawn and not one.made_room}
    found = []
    for one in kept:
        falls = (
            everything
            or one.sha256 is None
            or not wanted.isdisjoint(one.seen_items)
            or one.parent in fallen
        )
        if falls and not one.withdrawn:
            found.append(one)
            fallen.add(str(one.sha256))
    return found


def serves_then(
    kept: Sequence[KeptAdapter], fallen: Collection[KeptAdapter], opens: Callable[[str], bool]
) -> KeptAdapter | None:
    """The adapter that serves once these have fallen; None is the plain base.

    The one in use where it is clean, else its newest clean ancestor that opens. Where an ancestor
    is on the shelf no more, an older adapter that saw nothing else than the one in use takes its
    place.
    """
    current = next((one for one in kept if one.current), None)
    if current is None or current not in fallen:
        return current
    able = [one for one in kept if one.has_weights and not one.withdrawn and one not in fallen]
    by_digest = {one.sha256: one for one in kept}
    at = current
    while at.parent is not None:
        above = by_digest.get(at.parent)
        if above is None:
            return _stands_in(at, able, opens)
        at = above
        if at in able and at.base == current.base and at.sha256 and opens(at.sha256):
            return at
    return None


def _stands_in(
    lost: KeptAdapter, able: Sequence[KeptAdapter], opens: Callable[[str], bool]
) -> KeptAdapter | None:
    for one in reversed(able):
        older = one.number < lost.number and one.seen_items <= lost.seen_items
        if older and one.base == lost.base and one.sha256 and opens(one.sha256):
            return one
    return None
