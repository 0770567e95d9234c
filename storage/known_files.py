"""Which files were seen as they are now, so that a rescan reads only what changed.

A row holds three keyed hashes: of the item, of its source, and of the file's time, size and the
version of the redaction rules. Nothing of it is in clear, and losing it only costs a reading.
"""

from collections.abc import Mapping
from typing import NamedTuple

from storage.lookup import Lookup
from storage.sealed_database import SealedDatabase

_AT_ONCE = 500


class FileStamp(NamedTuple):
    """When one of these differs, the file is read again."""

    mtime_ns: int
    size: int  # bytes
    rules_version: int


class KnownFiles:
    def __init__(self, database: SealedDatabase, lookup: Lookup) -> None:
        self._database = database
        self._lookup = lookup

    def knows(self, source: str) -> bool:
        """Whether any file of the source was remembered."""
        found = "SELECT 1 FROM known_files WHERE source_hash = ? LIMIT 1"
        return bool(self._database.fetch(found, [self._lookup.source(source)]))

    def unchanged(self, source: str, stamps: Mapping[str, FileStamp]) -> set[str]:
        """Those paths that were remembered with the same stamp."""
        wanted = {
            item_hash: (path, stamp_hash)
            for path, (item_hash, stamp_hash) in self._hashes(source, stamps).items()
        }
        hashes = list(wanted)
        same: set[str] = set()
        for start in range(0, len(hashes), _AT_ONCE):
            some = hashes[start : start + _AT_ONCE]
            rows = self._database.fetch(
                "SELECT item_hash, stamp_hash FROM known_files "  # noqa: S608 - only marks
                f"WHERE item_hash IN ({','.join('?' * len(some))})",
                some,
            )
            same.update(wanted[item][0] for item, stamp in rows if wanted[item][1] == stamp)
        return same

    def remember(self, source: str, stamps: Mapping[str, FileStamp]) -> None:
        """After their documents were put, or found not worth keeping.

        Do not remember a duplicate: when the other item changes, its text is wanted from here.
        """
        source_hash = self._lookup.source(source)
        with self._database.transaction():
            self._database.database.conn.executemany(
                "INSERT INTO known_files (item_hash, source_hash, stamp_hash) VALUES (?, ?, ?) "
                "ON CONFLICT (item_hash) DO UPDATE SET stamp_hash = excluded.stamp_hash",
                [  # in the order of the index, each page of which is then looked for once
                    (item_hash, source_hash, stamp_hash)
                    for item_hash, stamp_hash in sorted(self._hashes(source, stamps).values())
                ],
            )

    def forget(self, source: str) -> None:
        """All files of a source, so that the next scan reads everything again."""
        with self._database.transaction():
            self._database.database.table("known_files").delete_where(
                "source_hash = ?", [self._lookup.source(source)]
            )

    def forget_one(self, source: str, path: str) -> None:
        """One file, so that the next scan reads it again."""
        with self._database.transaction():
            self._database.database.table("known_files").delete_where(
                "item_hash = ?", [self._lookup.item(source, path)]
            )

    def _hashes(
        self, source: str, stamps: Mapping[str, FileStamp]
    ) -> dict[str, tuple[bytes, bytes]]:
        item, stamp_of = self._lookup.item, self._lookup.stamp
        hashes = {}
        for path, stamp in stamps.items():
            item_hash = item(source, path)
            hashes[path] = (item_hash, stamp_of(item_hash, *stamp))
        return hashes
