"""What was forgotten and stays so: keyed hashes of items and contents, nothing else of them."""

from collections.abc import Iterable
from typing import TypeVar

from storage.sealed_database import SealedDatabase

T = TypeVar("T", int, bytes)

_AT_ONCE = 500


class Tombstones:
    def __init__(self, database: SealedDatabase) -> None:
        self._database = database

    @property
    def none(self) -> bool:
        """As in most vaults, and then nobody has to look anything up."""
        return not self._database.fetch("SELECT 1 FROM tombstones LIMIT 1")

    def bury(self, hashes: Iterable[bytes], *, day: str) -> list[int]:
        """Within or without a transaction; what is buried already stays as it is.

        The numbers of the new tombstones, which follow each other.
        """
        with self._database.transaction():
            wanted = list(dict.fromkeys(hashes))
            buried = self.among(wanted)
            fresh = [one for one in wanted if one not in buried]
            first = self._database.manifest.next_ids("tombstones", len(fresh))
            rows = [(first + place, one, day) for place, one in enumerate(fresh)]
            self._database.database.conn.executemany(
                "INSERT INTO tombstones (id, hash, day) VALUES (?, ?, ?)", rows
            )
            for row in rows:
                self._database.cover("tombstones", row)
        return [row[0] for row in rows]

    def lift(self, hashes: Iterable[bytes]) -> list[int]:
        """The user's word: these may be kept again. The numbers of the tombstones that fell."""
        lifted = []
        with self._database.transaction():
            for one in dict.fromkeys(hashes):
                for row in self._database.fetch(
                    "SELECT id, hash, day FROM tombstones WHERE hash = ?", [one]
                ):
                    self._database.uncover("tombstones", row)
                    self._database.database.execute("DELETE FROM tombstones WHERE id = ?", [row[0]])
                    lifted.append(row[0])
        return lifted

    def present(self, numbers: Iterable[int]) -> set[int]:
        """Those of these tombstones that stand."""
        return self._standing("id", numbers)

    def among(self, hashes: Iterable[bytes]) -> set[bytes]:
        """Those of `hashes` that are buried."""
        if self.none:
            return set()
        return self._standing("hash", hashes)

    def _standing(self, column: str, values: Iterable[T]) -> set[T]:
        """Those of `values` that a tombstone has in this column."""
        wanted = list(values)
        found: set[T] = set()
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            rows = self._database.fetch(
                f"SELECT {column} FROM tombstones WHERE {column} IN ({marks})",  # noqa: S608 - only marks
                some,
            )
            found.update(row[0] for row in rows)
        return found
