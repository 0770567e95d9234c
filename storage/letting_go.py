"""Text that may not be kept any longer, because the user excluded it or it grew too old.

Less than forgetting: there is no tombstone, so that the text may be collected again once the rule
is lifted, and adapters keep what they learned.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from storage.document_removal import remove_documents
from storage.lookup import Lookup
from storage.sealed_database import SealedDatabase

T = TypeVar("T")

AT_ONCE = 500  # rows per look-up


class LettingGo:
    def __init__(self, database: SealedDatabase, lookup: Lookup) -> None:
        self._database = database
        self._lookup = lookup

    def of_documents(self, ids: Iterable[int]) -> int:
        """Rows, texts and keys of these versions, in one transaction; how many there were.

        Their files count as never seen, so that the next scan reads them again if it may.
        """
        wanted = list(ids)
        with self._database.transaction():
            self._forget_files(wanted)
            return remove_documents(self._database, wanted)

    def of_paths(self, source: str, paths: Iterable[str]) -> int:
        """All versions of these items of a source; how many documents there were."""
        with self._database.transaction():
            return self.of_documents(self._documents_at(source, list(paths)))

    def _documents_at(self, source: str, paths: Sequence[str]) -> list[int]:
        found: list[int] = []
        for some in _pieces([self._lookup.item(source, path) for path in paths]):
            rows = self._database.fetch(
                "SELECT d.id FROM items i JOIN documents d ON d.item = i.id "  # noqa: S608 - only marks
                f"WHERE i.item_hash IN ({_marks(some)})",
                some,
            )
            found += [row[0] for row in rows]
        return found

    def _forget_files(self, ids: Sequence[int]) -> None:
        for some in _pieces(ids):
            self._database.database.execute(
                "DELETE FROM known_files WHERE item_hash IN (SELECT i.item_hash FROM items i "  # noqa: S608 - only marks
                f"JOIN documents d ON d.item = i.id WHERE d.id IN ({_marks(some)}))",
                some,
            )


def _pieces(values: Sequence[T]) -> Iterable[Sequence[T]]:
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
