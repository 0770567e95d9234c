"""What earlier children noted of texts, so that the next one need not read them again.

In memory and for as long as the vault is open; what a note says, only a child can read. Bounded:
what does not fit is read again each time, and costs time and nothing else.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from daemon.curation_wire import TextNote

MOST_BYTES = 96 << 20  # of all notes: 60,000 letters of 350 words, or 20,000 chapters
LOT_BYTES = 4 << 20
OVERHEAD_BYTES = 250  # of one note, besides its own bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A document as it lies in the vault now."""

    settled: bool  # it was learned, or judges
    key_id: int  # another one when its text was replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    key_id: int
    note: TextNote


class CurationNotes:
    """Notes by document."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: dict[int, _Kept] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, notes: Iterable[TextNote], present: Mapping[int, Present]) -> None:
        """Those that there is room for."""
        for note in notes:
            self.drop((note.document_id,))
            if self._size + _size(note) <= self._most_bytes:
                self._size += _size(note)
                key_id = present[note.document_id].key_id
                self._kept[note.document_id] = _Kept(key_id=key_id, note=note)

    def keep_only(self, present: Mapping[int, Present]) -> None:
        """Drop the notes of what is gone, has another text, or has to be compared and was not."""
        self.drop([number for number in self._kept if not self._holds(number, present)])

    def drop(self, ids: Collection[int]) -> None:
        for number in ids:
            kept = self._kept.pop(number, None)
            if kept is not None:
                self._size -= _size(kept.note)

    def clear(self) -> None:
        self._kept.clear()
        self._size = 0

    def known(self) -> frozenset[int]:
        return frozenset(self._kept)

    def lots(self) -> Sequence[Sequence[int]]:
        """The documents of which something is noted, in lots as a child is told them."""
        lots: list[list[int]] = []
        size = LOT_BYTES
        for number, kept in self._kept.items():
            if size >= LOT_BYTES:
                lots.append([])
                size = 0
            lots[-1].append(number)
            size += _size(kept.note)
        return lots

    def told(self, ids: Collection[int], present: Mapping[int, Present]) -> list[TextNote]:
        """What a child is told of them; nothing of those that were dropped."""
        kept = (self._kept[number] for number in ids if number in self._kept)
        return [replace(one.note, flag=present[one.note.document_id].settled) for one in kept]

    def _holds(self, number: int, present: Mapping[int, Present]) -> bool:
        kept, now = self._kept[number], present.get(number)
        if now is None or now.key_id != kept.key_id:
            return False
        return kept.note.flag or not now.settled


def _size(note: TextNote) -> int:
    return len(note.data) + OVERHEAD_BYTES
