"""A kept document in a stricter wording: what newer rules of redaction find is taken out of it.

Number, item, version, state and day stay; the text, its keyed hash and its data key are new, and
the old key is destroyed, so that the old text cannot be opened again, not even from the log. Knows
nothing of what the rules are but the number of their version. A part of `documents.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.document_intake import text_binding
from storage.document_rows import DocumentRow, decode_document, encode_document
from storage.errors import SealBroken, UnknownDocument
from storage.lookup import Lookup
from storage.records import RedactedDocument
from storage.sealed_database import SealedDatabase
from storage.sealing import seal_row, unseal_row

PAGE_ROWS = 256
PAGE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OutdatedPage:
    """Some of the documents that were kept under older rules."""

    ids: tuple[int, ...]
    next_after: int | None  # where the next page begins; None after the last


def replace_document(
    database: SealedDatabase, lookup: Lookup, document_id: int, document: RedactedDocument
) -> None:
    """In one transaction. Raises `UnknownDocument`, `DocumentTooLarge`, `StorageFull`."""
    with database.transaction():
        rows = database.fetch(
            "SELECT id, item, version, state, day, content_hash, key FROM documents WHERE id = ?",
            [document_id],
        )
        if not rows:
            raise UnknownDocument(document_id=document_id)
        old = DocumentRow.of(rows[0])
        key = database.make_data_key()
        database.store_data_keys([key])
        new = old._replace(content_hash=lookup.content(document.text), key=key.key_id)
        sealed = seal_row(key.raw, encode_document(document), text_binding(document_id))
        execute = database.database.execute
        execute(
            "UPDATE documents SET content_hash = ?, key = ? WHERE id = ?",
            [new.content_hash, new.key, document_id],
        )
        execute("UPDATE document_texts SET sealed = ? WHERE id = ?", [sealed, document_id])
        database.uncover("documents", old.cells)
        database.cover("documents", new.cells)
        database.destroy_data_key(old.key)
        database.observe("replacement:written")


def outdated_page(database: SealedDatabase, rules_version: int, *, after: int) -> OutdatedPage:
    """Of the next documents after a number, about `PAGE_BYTES` of them, those with older rules.

    The version lies in the sealed head, so each is opened; one that does not open is left out, and
    `verify` names it.
    """
    found: list[int] = []
    last, size = after, 0
    with database.reading() as connection:
        keys = database.keys  # of the same moment: a rotation may be waiting
        for number, key_id, epoch, wrapped, sealed in connection.execute(
            "SELECT d.id, d.key, k.epoch, k.wrapped, t.sealed FROM documents d "
            "JOIN data_keys k ON k.id = d.key JOIN document_texts t ON t.id = d.id "
            "WHERE d.id > ? ORDER BY d.id LIMIT ?",
            [after, PAGE_ROWS],
        ):
            last, size = number, size + len(sealed)
            try:
                raw = keys.open_data_key(key_id, epoch, wrapped)
                head, _ = decode_document(unseal_row(raw, sealed, text_binding(number)))
                if head["rules_version"] < rules_version:
                    found.append(number)
            except (SealBroken, KeyError, TypeError):
                pass
            if size >= PAGE_BYTES:
                break
    more = database.fetch("SELECT 1 FROM documents WHERE id > ? LIMIT 1", [last])
    return OutdatedPage(ids=tuple(found), next_after=last if more and last > after else None)


def outdated_ids(database: SealedDatabase, rules_version: int) -> Sequence[int]:
    """All of them, page by page."""
    ids: list[int] = []
    after: int | None = 0
    while after is not None:
        page = outdated_page(database, rules_version, after=after)
        ids += page.ids
        after = page.next_after
    return ids
