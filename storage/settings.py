"""A few settings that belong to the vault and not to a file of configuration: globs that tell of
the user's folders, a pause, when the clock was last seen.

Each is a sealed JSON value in a row of the table `sources`, found by a keyed name that no source
can have: it is made with another key. Knows nothing of what the values mean.
"""

from typing import Any

from storage.lookup import Lookup
from storage.sealed_database import SealedDatabase
from storage.sealed_table import Record, Row, SealedTable

MARK = "setting"  # the key that tells such a record from a source's


def is_setting(record: Record) -> bool:
    return MARK in record


class KeptSettings:
    """By name; the names are our own fixed words."""

    def __init__(self, database: SealedDatabase, lookup: Lookup) -> None:
        self._database = database
        self._table = SealedTable(database, "sources")
        self._lookup = lookup

    def get(self, name: str) -> Any:
        """The value, None where there is none. Raises `RowDamaged`."""
        row = self._row(name)
        return None if row is None else self._table.open(row)["value"]

    def put(self, name: str, value: Any) -> None:
        """Keep a JSON value in place of the one there was, damaged or not; None removes it."""
        with self._database.transaction():
            row = self._row(name)
            if value is None:
                if row is not None:
                    self._table.delete(row)
            elif row is None:
                name_hash = self._lookup.name(MARK, name)
                self._table.insert({MARK: name, "value": value}, name_hash=name_hash)
            else:
                self._table.replace(row, {MARK: name, "value": value})

    def _row(self, name: str) -> Row | None:
        rows = self._table.rows("name_hash = ?", (self._lookup.name(MARK, name),))
        return rows[0] if rows else None
