"""The tables of the vault's database, and what about each row stands under the manifest.

Text and everything told by a user lies in `sealed` columns; in clear are numbers, states, days of
collection and keyed hashes. Tables for what comes later (tombstones, epochs, pins, withdrawn
adapters) have their place now, so that no format has to change.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from storage.errors import VaultDamaged, VaultTooNew
from storage.sealing import FORMAT
from storage.sqlite import Database

APPLICATION_ID = 0x4E4C4F4D  # "NLOM"
PAGE_BYTES = 16384  # seven texts of 2 KiB in one; 8192 holds three, and costs a fifth more time

# Columns whose values make a row's element in the manifest. A sealed cell is covered by its key:
# each gets a fresh one, and key numbers are never used twice.
COVERED: dict[str, tuple[str, ...]] = {
    "items": ("id", "item_hash", "source_hash"),
    "documents": ("id", "item", "version", "state", "day", "content_hash", "key"),
    "tombstones": ("id", "hash", "day"),
    "sources": ("id", "name_hash", "key"),
    "sealed_files": ("id", "name_hash", "purpose", "disk_name", "bytes", "key"),
    "adapters": ("id", "sha_hash", "file", "withdrawn", "pinned", "key"),
    "pointers": ("id", "name", "adapter"),
    "nights": ("id", "key"),
    "events": ("id", "chain", "key"),
}
INDEXES = (  # table, columns, unique
    ("vault_keys", ["name"], True),
    ("items", ["item_hash"], True),
    ("items", ["source_hash"], False),
    ("documents", ["item"], False),
    ("documents", ["content_hash"], False),
    ("documents", ["state"], False),
    ("tombstones", ["hash"], True),
    ("known_files", ["item_hash"], True),
    ("known_files", ["source_hash"], False),
    ("sources", ["name_hash"], True),
    ("sealed_files", ["name_hash"], True),
    ("sealed_files", ["disk_name"], True),
    ("adapters", ["sha_hash"], True),
    ("adapters", ["file"], True),
    ("pointers", ["name"], True),
)
# Rows that carry a sealed cell of their own, with the column that holds it.
SEALED_TABLES = ("sources", "sealed_files", "adapters", "nights", "events")


def connect(path: Path) -> Database:
    """Open the database for use from one thread at a time, with the vault's pragmas."""
    connection = sqlite3.connect(path, check_same_thread=False, timeout=5, cached_statements=256)
    connection.isolation_level = None  # transactions begin and end where we say so
    database = Database(connection, execute_plugins=False)
    for pragma in (
        f"page_size = {PAGE_BYTES}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "fullfsync = ON",  # macOS: down to the medium
        "checkpoint_fullfsync = ON",
        "secure_delete = ON",
        "temp_store = MEMORY",
        "foreign_keys = ON",
        "trusted_schema = OFF",
        "cache_size = -16384",  # KiB: a transaction of two thousand documents; not more
        "mmap_size = 0",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return database


def check_format(database: Database) -> None:
    """Raises `VaultTooNew` for a newer vault and `VaultDamaged` for what is no vault."""
    application = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID or version < 1:
        raise VaultDamaged(what="vault.db is not a nightloom database")
    if version > FORMAT:
        raise VaultTooNew(found=version, known=FORMAT)


Table = Callable[..., None]  # makes a table of these columns, beside its number


def create_tables(database: Database) -> None:
    """All tables of format 1, strict ones."""

    def table(name: str, columns: dict[str, type], **options: object) -> None:
        database.create_table(
            name,
            {"id": int} | columns,
            pk="id",
            not_null=set(columns) - {"adapter"},
            strict=True,
            **options,  # type: ignore[arg-type]
        )

    _create_keys(table)
    _create_documents(table)
    _create_adapters(table)
    for name, columns, unique in INDEXES:
        database.table(name).create_index(columns, unique=unique)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {FORMAT}")


def _create_keys(table: Table) -> None:
    """Roots wrap epochs and vault keys, epochs wrap data keys."""
    table("vault_keys", {"name": str, "root": int, "wrapped": bytes})
    table("epochs", {"root": int, "wrapped": bytes})
    table("data_keys", {"epoch": int, "wrapped": bytes})
    table("manifest", {"sealed": bytes})


def _create_documents(table: Table) -> None:
    """Narrow rows apart from their text, so that a look at the heads reads no text."""
    table("items", {"item_hash": bytes, "source_hash": bytes})
    table(
        "documents",
        {
            "item": int,
            "version": int,
            "state": str,
            "day": str,
            "content_hash": bytes,
            "key": int,
        },
        foreign_keys=[("item", "items")],
    )
    table("document_texts", {"sealed": bytes})
    table("tombstones", {"hash": bytes, "day": str})
    table("known_files", {"item_hash": bytes, "source_hash": bytes, "stamp_hash": bytes})
    table("sources", {"name_hash": bytes, "key": int, "sealed": bytes})


def _create_adapters(table: Table) -> None:
    """What nights leave: files, adapters, records."""
    table(
        "sealed_files",
        {
            "name_hash": bytes,
            "purpose": str,
            "disk_name": str,
            "bytes": int,
            "key": int,
            "sealed": bytes,
        },
    )
    table(
        "adapters",
        {
            "sha_hash": bytes,
            "file": int,
            "withdrawn": int,
            "pinned": int,
            "key": int,
            "sealed": bytes,
        },
        foreign_keys=[("file", "sealed_files")],
    )
    table("pointers", {"name": str, "adapter": int}, foreign_keys=[("adapter", "adapters")])
    table("nights", {"key": int, "sealed": bytes})
    table("events", {"chain": bytes, "key": int, "sealed": bytes})
