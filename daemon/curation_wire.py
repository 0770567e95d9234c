"""What the service and its curating child say to each other, as bytes. Pure.

    service   {"op": "texts"}, body: JSON list of texts         child   {"event": "taken"}, body:
                                                                        a note of each text
    service   {"op": "notes"}, body: notes of earlier children  child   {"event": "taken"}
    service   {"op": "facts"}                                   child   {"event": "facts"}, body:
                                                                        JSON list of rows

A note in a body is its number, a flag, its length and its bytes, which only a child can read. The
child is not trusted: what it says is checked before it counts.
"""

import json
import math
import re
import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ipc.frames import Body
from storage.records import DocumentState, SpokenTurn, StoredDocument
from trainer.curation_facts import GivenText, TextFacts

MOST_CHARACTERS = 2_000_000  # of a document that are looked at: 1 GiB in the child at worst
ANSWER_BYTES = 64 << 20  # about 100 bytes for each document
SETTLED = frozenset({DocumentState.LEARNED, DocumentState.HELD_OUT, DocumentState.STABLE})

_NOTE = struct.Struct("<QBI")
_TAG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_REASON = re.compile(r"[a-z_]{1,40}")


class ChildLiedError(Exception):
    """The child said something that cannot be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextNote:
    """What a child found in one text alone, for other children; see `trainer/text_notes.py`."""

    document_id: int
    flag: bool  # from the child: it can be compared with others; to the child: it is settled
    data: bytes = field(repr=False)


def packed_texts(documents: Iterable[StoredDocument]) -> bytes:
    return json.dumps([_entry(document) for document in documents]).encode("ascii")


def unpacked_texts(body: Body) -> list[GivenText]:
    """In the child: it trusts the service."""
    return [
        GivenText(
            document_id=entry["id"],
            settled=entry["settled"],
            modified_at=entry["modified_at"],
            text=entry["text"],
            turns=tuple(
                SpokenTurn(own=own, speaker="", start=start, end=end)
                for own, start, end in entry["turns"]
            ),
            own=entry["own"],
            about={"quality": entry["rating"]},
        )
        for entry in json.loads(bytes(body))
    ]


def packed_notes(notes: Iterable[TextNote]) -> bytes:
    return b"".join(
        part
        for note in notes
        for part in (_NOTE.pack(note.document_id, note.flag, len(note.data)), note.data)
    )


def unpacked_notes(body: Body) -> Iterator[TextNote]:
    """Raises `ChildLiedError`."""
    view, at = memoryview(body), 0
    while at < len(view):
        if len(view) - at < _NOTE.size:
            raise ChildLiedError
        number, flag, size = _NOTE.unpack_from(view, at)
        at += _NOTE.size
        if len(view) - at < size:
            raise ChildLiedError
        yield TextNote(document_id=number, flag=bool(flag), data=bytes(view[at : at + size]))
        at += size


def packed_facts(facts: Iterable[TextFacts]) -> bytes:
    rows = [
        (one.document_id, one.language, one.quality, one.reason, one.twin_of, one.family)
        for one in facts
    ]
    return json.dumps(rows).encode("ascii")


def unpacked_facts(body: Body, asked: Collection[int]) -> dict[int, TextFacts]:
    """Raises `ChildLiedError` unless there is one row for each document that was asked about."""
    try:
        rows = json.loads(bytes(body))
    except (ValueError, RecursionError):
        raise ChildLiedError from None
    if not isinstance(rows, list) or len(rows) != len(asked):
        raise ChildLiedError
    known = frozenset(asked)
    facts = {one.document_id: one for one in (_checked(row, known) for row in rows)}
    if facts.keys() != known:
        raise ChildLiedError
    return facts


def _entry(document: StoredDocument) -> dict[str, Any]:
    return {
        "id": document.document_id,
        "settled": document.state in SETTLED,
        "modified_at": document.modified_at,
        "text": document.text[:MOST_CHARACTERS],
        "turns": [
            (turn.own, turn.start, turn.end)
            for turn in document.turns
            if turn.end <= MOST_CHARACTERS
        ],
        "own": document.own,
        "rating": document.about.get("quality", ""),
    }


def _checked(row: Any, known: frozenset[int]) -> TextFacts:
    if not isinstance(row, list) or len(row) != 6:
        raise ChildLiedError
    number, language, quality, reason, twin, family = row
    if not (
        type(number) is int
        and number in known
        and isinstance(language, str)
        and _TAG.fullmatch(language)
        and type(quality) in (int, float)
        and math.isfinite(quality)
        and 0 <= quality <= 1
        and (reason is None or (isinstance(reason, str) and _REASON.fullmatch(reason)))
        and (twin is None or (type(twin) is int and twin in known and twin != number))
        and type(family) is int
        and family in known
        and family <= number
    ):
        raise ChildLiedError
    return TextFacts(
        document_id=number,
        language=language,
        quality=float(quality),
        reason=reason,
        twin_of=twin,
        family=family,
    )
