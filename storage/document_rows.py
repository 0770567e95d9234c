"""One document as bytes, and what to do with one that comes in. Pure: no SQLite, no keys.

Sealed text:  u32 length of the head | head (JSON: source, path, times, redactions) | text (UTF-8)
"""

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from storage.errors import DocumentTooLarge, SealBroken
from storage.manifest import Cell
from storage.records import DocumentState, RedactedDocument

LIMIT_BYTES = 256 * 1024 * 1024  # far above the collector's 10 MB; SQLite's own limit is 1 GB
_LENGTH = struct.Struct(">I")


class PutOutcome(StrEnum):
    STORED = "stored"  # a new item
    NEW_VERSION = "new_version"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"  # another item holds this text already
    FORGOTTEN = "forgotten"  # the user's word stands: not kept


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResult:
    """`document_id` is the row that holds the text; None when it was forgotten."""

    outcome: PutOutcome
    document_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentHead:
    """What is known of a document without opening it."""

    document_id: int
    item_id: int
    version: int
    state: DocumentState
    collected_day: str  # ISO date
    source_key: bytes  # the same for all documents of one source; see `Documents.source_key`


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedRow:
    """A row that does not open, by name of its table and number."""

    table: str
    row_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRow:
    """A row of `documents`: everything about a document but its text."""

    id: int
    item: int
    version: int
    state: DocumentState
    day: str
    content_hash: bytes
    key: int

    @property
    def cells(self) -> tuple[Cell, ...]:
        """In the order of `schema.COVERED`."""
        return (
            self.id,
            self.item,
            self.version,
            str(self.state),
            self.day,
            self.content_hash,
            self.key,
        )

    @classmethod
    def of(cls, cells: Sequence[Any]) -> "DocumentRow":
        number, item, version, state, day, content_hash, key = cells
        return cls(
            id=number,
            item=item,
            version=version,
            state=DocumentState(state),
            day=day,
            content_hash=content_hash,
            key=key,
        )


@dataclass(slots=True)
class ItemVersions:
    """What the vault holds of one item: its newest version's number and its live row, if any."""

    item_id: int
    last_version: int = 0
    live: DocumentRow | None = field(default=None)


def decide(
    *,
    buried: bool,
    item: ItemVersions | None,
    twin: DocumentRow | None,
    content_hash: bytes,
) -> PutOutcome:
    """What becomes of a text; `twin` is the live document with the same content, of any item."""
    if buried:
        return PutOutcome.FORGOTTEN
    if item is not None and item.live is not None and item.live.content_hash == content_hash:
        return PutOutcome.UNCHANGED
    if twin is not None:
        return PutOutcome.DUPLICATE
    return PutOutcome.STORED if item is None else PutOutcome.NEW_VERSION


def encode_document(document: RedactedDocument) -> bytes:
    """Raises `DocumentTooLarge`."""
    head = json.dumps(
        {
            "source": document.source,
            "path": document.path,
            "modified_at": document.modified_at,
            "redactions": [[r.kind, r.start, r.end] for r in document.redactions],
            "rules_version": document.rules_version,
        },
        separators=(",", ":"),
    ).encode()
    text = document.text.encode("utf-8", "surrogatepass")
    if len(head) + len(text) > LIMIT_BYTES:
        raise DocumentTooLarge(found_bytes=len(head) + len(text), limit_bytes=LIMIT_BYTES)
    return _LENGTH.pack(len(head)) + head + text


def decode_document(data: bytes) -> tuple[dict[str, Any], str]:
    """Head and text. Raises `SealBroken` for bytes of another shape."""
    try:
        (length,) = _LENGTH.unpack_from(data)
        start = _LENGTH.size + length
        head: dict[str, Any] = json.loads(data[_LENGTH.size : start].decode())
        return head, data[start:].decode("utf-8", "surrogatepass")
    except (struct.error, ValueError) as error:
        raise SealBroken from error


def reading_plan(
    sizes: Sequence[tuple[int, int]], *, most_rows: int, most_bytes: int
) -> Iterator[list[int]]:
    """Group (id, bytes) so that a group stays under both bounds; one large row stands alone."""
    group: list[int] = []
    group_bytes = 0
    for row_id, size in sizes:
        if group and (len(group) == most_rows or group_bytes + size > most_bytes):
            yield group
            group, group_bytes = [], 0
        group.append(row_id)
        group_bytes += size
    if group:
        yield group
