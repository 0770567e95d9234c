"""What the user allowed to be collected: one sealed row per source, found by a keyed name."""

import dataclasses
from typing import Any

from storage.errors import SourceExists, UnknownSource
from storage.lookup import Lookup
from storage.records import SourceSettings
from storage.sealed_database import SealedDatabase
from storage.sealed_table import Record, Row, SealedTable
from storage.settings import is_setting


class Sources:
    def __init__(self, database: SealedDatabase, lookup: Lookup) -> None:
        self._database = database
        self._table = SealedTable(database, "sources")
        self._lookup = lookup

    def add(self, settings: SourceSettings) -> None:
        """Raises `SourceExists`."""
        with self._database.transaction():
            if self._row(settings.name) is not None:
                raise SourceExists
            self._table.insert(
                dataclasses.asdict(settings), name_hash=self._lookup.source(settings.name)
            )

    def list(self) -> "list[SourceSettings]":
        """In the order in which they were added; a damaged row is left out, `verify` names it."""
        records = (record for _, record in self._table.intact())
        return [_settings(record) for record in records if not is_setting(record)]

    def get(self, name: str) -> SourceSettings:
        """Raises `UnknownSource`, `RowDamaged`."""
        return _settings(self._table.open(self._known(name)))

    def change(self, name: str, **facts: Any) -> SourceSettings:
        """Put facts in place of those that there are. Raises `UnknownSource`, `RowDamaged`."""
        with self._database.transaction():
            row = self._known(name)
            changed = dataclasses.replace(_settings(self._table.open(row)), **facts)
            self._table.replace(row, dataclasses.asdict(changed))
        return changed

    def remove(self, name: str) -> None:
        """Stop collecting it; its documents stay. Raises `UnknownSource`."""
        with self._database.transaction():
            self._table.delete(self._known(name))

    def _row(self, name: str) -> Row | None:
        rows = self._table.rows("name_hash = ?", (self._lookup.source(name),))
        return rows[0] if rows else None

    def _known(self, name: str) -> Row:
        row = self._row(name)
        if row is None:
            raise UnknownSource
        return row


def _settings(record: Record) -> SourceSettings:
    """Facts that a later version added to the record are left alone."""
    known: dict[str, Any] = {
        field.name: record[field.name]
        for field in dataclasses.fields(SourceSettings)
        if field.name in record
    }
    lists = {name: tuple(fact) for name, fact in known.items() if isinstance(fact, list)}
    return SourceSettings(**known | lists)
