"""One document as bytes, and what to do with one that comes in. Pure: no SQLite, no keys.

Sealed text:  u32 length of the head | head (JSON: source, path, times, redactions) | text (UTF-8)
"""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from storage.errors import DocumentTooLarge, RowDamaged, SealBroken
from storage.manifest import Cell
from storage.records import DocumentState, RedactedDocument, SpokenTurn, StoredDocument

LIMIT_BYTES = 256 * 1024 * 1024  # far above the collector's 10 MB; SQLite's own limit is 1 GB
STATES = {str(state): state for state in DocumentState}
USUAL_FACTS = 5  # of a head: source, path, modified_at, redactions, rules_version
_LENGTH = struct.Struct(">I")
_quoted = json.encoder.encode_basestring_ascii
_decode_head = json.JSONDecoder().raw_decode


class PutOutcome(StrEnum):
    STORED = "stored"  # a new item
    NEW_VERSION = "new_version"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"  # another item holds this text already
    FORGOTTEN = "forgotten"  # the user's word stands: not kept


class PutResult(NamedTuple):
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
    key_id: int  # of its data key; another one once its text was replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedRow:
    """A row that does not open, by name of its table and number."""

    table: str
    row_id: int


class DocumentRow(NamedTuple):
    """A row of `documents`: everything about a document but its text.

    A named tuple, which is made in a third of the time of a frozen dataclass.
    """

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
        number, item, version, state, day, content_hash, key = self
        return number, item, version, str(state), day, content_hash, key

    @property
    def encoded(self) -> bytes:
        """What `manifest.encode_row` makes of the cells, in a third of its time."""
        number, item, version, state, day, content_hash, key = self
        in_state, on_day = state.encode(), day.encode()
        return b"documents|i%d;i%d;i%d;s%d:%bs%d:%bb%d:%bi%d;" % (
            number,
            item,
            version,
            len(in_state),
            in_state,
            len(on_day),
            on_day,
            len(content_hash),
            content_hash,
            key,
        )

    @classmethod
    def of(cls, cells: Sequence[Any]) -> "DocumentRow":
        """Raises `RowDamaged` for a state that there is not."""
        number, item, version, state, day, content_hash, key = cells
        known = STATES.get(state)
        if known is None:
            raise RowDamaged(table="documents", row_id=number)
        return cls(number, item, version, known, day, content_hash, key)


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
    head = _encode_head(document).encode()
    text = document.text.encode("utf-8", "surrogatepass")
    if len(head) + len(text) > LIMIT_BYTES:
        raise DocumentTooLarge(found_bytes=len(head) + len(text), limit_bytes=LIMIT_BYTES)
    return b"%b%b%b" % (_LENGTH.pack(len(head)), head, text)


def _encode_head(document: RedactedDocument) -> str:
    """As `json.dumps` would, by hand: a fifth of the time, for hundreds of thousands of heads."""
    modified_at = document.modified_at
    if type(modified_at) is not float or not math.isfinite(modified_at):
        modified = json.dumps(modified_at)
    else:
        modified = float.__repr__(modified_at)
    redactions = "[]"
    if document.redactions:
        found = [[one.kind, one.start, one.end] for one in document.redactions]
        redactions = json.dumps(found, separators=(",", ":"))
    return (
        f'{{"source":{_quoted(document.source)},"path":{_quoted(document.path)},'
        f'"modified_at":{modified},"redactions":{redactions},'
        f'"rules_version":{document.rules_version:d}{_encode_more(document)}}}'
    )


def _encode_more(document: RedactedDocument) -> str:
    """What few documents have."""
    more: dict[str, Any] = {}
    if document.turns:
        more["turns"] = [[one.own, one.speaker, one.start, one.end] for one in document.turns]
    if not document.own:
        more["own"] = False
    if document.about:
        more["about"] = dict(document.about)
    return "," + json.dumps(more, separators=(",", ":"))[1:-1] if more else ""


def with_more(document: StoredDocument, head: Mapping[str, Any]) -> StoredDocument:
    """The document with what few have, from its head. Raises `ValueError`, `TypeError`."""
    document.turns = tuple(
        SpokenTurn(own=own, speaker=speaker, start=start, end=end)
        for own, speaker, start, end in head.get("turns", ())
    )
    document.own = head.get("own", True)
    document.about = head.get("about", {})
    return document


def decode_document(data: bytes) -> tuple[dict[str, Any], str]:
    """Head and text. Raises `SealBroken` for bytes of another shape."""
    try:
        (length,) = _LENGTH.unpack_from(data)
        start = _LENGTH.size + length
        written = data[_LENGTH.size : start].decode()
        head, end = _decode_head(written)  # half the time of `json.loads`
        text = data[start:].decode("utf-8", "surrogatepass")
    except (struct.error, ValueError) as error:
        raise SealBroken from error
    if end != len(written) or type(head) is not dict:
        raise SealBroken
    return head, text


def at_place(data: bytes, *, source: str, path: str) -> bytes:
    """The same document from another place. Raises `SealBroken`."""
    head, _ = decode_document(data)
    (length,) = _LENGTH.unpack_from(data)
    written = json.dumps(head | {"source": source, "path": path}, separators=(",", ":")).encode()
    return b"%b%b%b" % (_LENGTH.pack(len(written)), written, data[_LENGTH.size + length :])
