"""Looking at every seal: does the vault hold what its manifest says, and does all of it open?

Reads everything and changes nothing. Names rows and files by number, never by what they hold.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from storage.document_rows import DamagedRow
from storage.documents import Documents
from storage.errors import RowDamaged
from storage.ledger import Ledger
from storage.records import DocumentState
from storage.schema import COVERED, SEALED_TABLES
from storage.sealed_database import SealedDatabase
from storage.sealed_files import SealedFiles
from storage.sealed_table import SealedTable


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMismatch:
    """A table that does not hold the rows that were put there: removed, added or exchanged."""

    table: str
    expected_rows: int
    found_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedFile:
    purpose: str
    number: int  # of its record in `sealed_files`


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultReport:
    """What `Vault.verify` found."""

    manifest_opens: bool
    generation: int
    tables: tuple[TableMismatch, ...]
    damaged_rows: tuple[DamagedRow, ...]
    damaged_files: tuple[DamagedFile, ...]
    broken_event_links: tuple[int, ...]

    @property
    def intact(self) -> bool:
        found = (self.tables, self.damaged_rows, self.damaged_files, self.broken_event_links)
        return self.manifest_opens and not any(found)


def verify(
    database: SealedDatabase,
    documents: Documents,
    ledger: Ledger,
    files: Iterable[SealedFiles],
) -> VaultReport:
    return VaultReport(
        manifest_opens=database.manifest_opens,
        generation=database.manifest.generation,
        tables=tuple(_mismatches(database)) if database.manifest_opens else (),
        damaged_rows=tuple(_damaged_rows(database, documents)),
        damaged_files=tuple(
            DamagedFile(purpose=some.purpose, number=number)
            for some in files
            for number in some.damaged()
        ),
        broken_event_links=tuple(ledger.broken_links()),
    )


def _mismatches(database: SealedDatabase) -> Iterable[TableMismatch]:
    for table in COVERED:
        expected = database.manifest.tally(table)
        found = database.manifest.count_of(table, database.covered_cells(table))
        if (expected.count, expected.total) != (found.count, found.total):
            yield TableMismatch(table=table, expected_rows=expected.count, found_rows=found.count)


def _damaged_rows(database: SealedDatabase, documents: Documents) -> Iterable[DamagedRow]:
    for found in documents.read_many(tuple(DocumentState)):
        if isinstance(found, DamagedRow):
            yield found
    for name in SEALED_TABLES:
        table = SealedTable(database, name)
        for row in table.rows(order_by="id"):
            try:
                table.open(row)
            except RowDamaged:
                yield DamagedRow(table=name, row_id=row["id"])
