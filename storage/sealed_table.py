"""A table of sealed records: JSON in a sealed cell, a few numbers and keyed hashes beside it.

For tables with tens to thousands of rows (sources, adapters, nights, events, files); documents
have a faster way of their own. Each writing of a record gets a fresh data key, and the key of what
it replaces is destroyed.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from storage.errors import RowDamaged, SealBroken
from storage.manifest import Cell
from storage.schema import COVERED
from storage.sealed_database import SealedDatabase
from storage.sealing import row_binding, seal_row, unseal_row

Record = dict[str, Any]
Row = dict[str, Any]


class SealedTable:
    """Each changing method joins the open transaction, or makes one of its own."""

    def __init__(self, database: SealedDatabase, name: str) -> None:
        self._database = database
        self._name = name

    def insert(self, record: Mapping[str, Any], **clear: Cell) -> int:
        """The new row's id."""
        with self._database.transaction():
            row_id = self._database.manifest.next_ids(self._name)
            row = {"id": row_id} | clear | self._seal(row_id, record)
            self._database.database.table(self._name).insert(row)
            self._database.cover(self._name, self._cells(row))
        return row_id

    def replace(self, row: Row, record: Mapping[str, Any]) -> None:
        """Seal a new record in place of the one in `row`."""
        with self._database.transaction():
            self._update(row, self._seal(row["id"], record))
            self._database.destroy_data_key(row["key"])

    def mark(self, row: Row, **clear: Cell) -> None:
        """Change what stands in clear."""
        self._update(row, clear)

    def _update(self, row: Row, changes: Mapping[str, Any]) -> None:
        with self._database.transaction():
            self._database.uncover(self._name, self._cells(row))
            self._database.database.table(self._name).update(row["id"], dict(changes))
            self._database.cover(self._name, self._cells(row | dict(changes)))

    def delete(self, row: Row) -> None:
        with self._database.transaction():
            self._database.uncover(self._name, self._cells(row))
            self._database.database.table(self._name).delete(row["id"])
            self._database.destroy_data_key(row["key"])

    def rows(
        self, where: str | None = None, values: tuple[Cell, ...] = (), **options: Any
    ) -> list[Row]:
        """Rows as they are stored, for `open`, `replace`, `mark` and `delete`."""
        with self._database.reading() as database:
            return list(database.table(self._name).rows_where(where, values, **options))

    def open(self, row: Row) -> Record:
        """Raises `RowDamaged`."""
        try:
            key = self._database.data_key(row["key"])
            record: Record = json.loads(unseal_row(key, row["sealed"], self._binding(row["id"])))
        except SealBroken as error:
            raise RowDamaged(table=self._name, row_id=row["id"]) from error
        return record

    def intact(self, rows: list[Row] | None = None) -> Iterator[tuple[Row, Record]]:
        """Those of `rows` that open (of all, oldest first); `Vault.verify` names the others."""
        for row in self.rows(order_by="id") if rows is None else rows:
            try:
                yield row, self.open(row)
            except RowDamaged:
                continue

    def _seal(self, row_id: int, record: Mapping[str, Any]) -> Row:
        key = self._database.make_data_key()
        self._database.store_data_keys([key])
        data = json.dumps(record, separators=(",", ":")).encode()
        return {"key": key.key_id, "sealed": seal_row(key.raw, data, self._binding(row_id))}

    def _binding(self, row_id: int) -> bytes:
        return row_binding(self._name, row_id, "sealed")

    def _cells(self, row: Row) -> tuple[Cell, ...]:
        return tuple(row[column] for column in COVERED[self._name])
