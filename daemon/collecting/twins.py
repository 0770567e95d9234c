"""Copies of a text that is kept already: not read at each scan, but wanted when the other one goes.

Known in memory only: after a start each copy is read once.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from daemon.collecting.batching import stamp_of
from daemon.collecting.moves import Gone
from daemon.collecting.source import FoundFile
from daemon.collecting.store import DocumentStore, FileStamp

MOST_TWINS = 100_000


@dataclass(frozen=True, slots=True)
class _Twin:
    stamp: FileStamp
    document: int  # that holds the text


class Twins:
    """Those of one source."""

    def __init__(self, store: DocumentStore, gone: Gone) -> None:
        self._store = store
        self._gone = gone
        self._known: dict[str, _Twin] = {}

    def note(self, path: str, stamp: FileStamp, document: int) -> None:
        if len(self._known) < MOST_TWINS:
            self._known[path] = _Twin(stamp, document)

    def noted(self, file: FoundFile) -> bool:
        """Whether it was a copy as it is now; of one that changed nothing is known any more."""
        twin = self._known.get(file.path)
        if twin is None:
            return False
        if twin.stamp == stamp_of(file.size, file.mtime_ns):
            return True
        del self._known[file.path]
        return False

    async def wanted_again(self, files: Iterable[FoundFile]) -> list[FoundFile]:
        """Of files that were noted those whose text nobody else holds now, or at no file."""
        known = self._known
        noted = [(file, known[file.path].document) for file in files if file.path in known]
        if not noted:
            return []
        places = await self._store.places({document for _, document in noted})

        def held() -> set[int]:
            return {number for number, place in places.items() if not self._gone(*place)}

        still = await asyncio.to_thread(held)
        return [file for file, document in noted if document not in still]
