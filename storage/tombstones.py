"""What was forgotten and stays so: keyed hashes of items and contents, nothing else of them."""

from collections.abc import Iterable

from storage.sealed_database import SealedDatabase

_AT_ONCE = 500


class Tombstones:
    def __init__(self, database: SealedDatabase) -> None:
        self._database = database

    def bury(self, hashes: Iterable[bytes], *, day: str) -> None:
        """Within or without a transaction; what is buried already stays as it is."""
        with self._database.transaction():
            wanted = list(dict.fromkeys(hashes))
            buried = self.among(wanted)
            for one in wanted:
                if one in buried:
                    continue
                row_id = self._database.manifest.next_ids("tombstones")
                row = {"id": row_id, "hash": one, "day": day}
                self._database.database.table("tombstones").insert(row)
                self._database.cover("tombstones", (row_id, one, day))

    def among(self, hashes: Iterable[bytes]) -> set[bytes]:
        """Those of `hashes` that are buried."""
        wanted = list(hashes)
        buried: set[bytes] = set()
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            rows = self._database.fetch(
                f"SELECT hash FROM tombstones WHERE hash IN ({marks})",  # noqa: S608 - only marks
                some,
            )
            buried.update(row[0] for row in rows)
        return buried
