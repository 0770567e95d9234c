"""What a forgetting would take: items, documents, adapters. Looks, and changes nothing.

Copies go with the original: an item whose text now is that of a forgotten version is forgotten as
well. An item that once held such a text, as two notes from one template did, loses that version
only. Of the texts that go, those that stood in a file until now are buried as copies too: whatever
file is met with one of them stays out for good, also when it is edited later.
"""

import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from storage.adapter_shelf import AdapterShelf
from storage.adapter_withdrawal import KeptAdapter, serves_then, tainted
from storage.documents import Documents
from storage.lookup import Lookup
from storage.records import DocumentState, StoredDocument
from storage.sealed_database import SealedDatabase

_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgettingPlan:
    """What goes, by number."""

    items: frozenset[int]  # forgotten whole
    touched: frozenset[int]  # lose an old version
    documents: tuple[int, ...]
    hashes: tuple[bytes, ...] = field(repr=False)  # of items and contents, to be buried
    fallen: tuple[KeptAdapter, ...]
    serves_before: KeptAdapter | None
    serves: KeptAdapter | None  # None: the plain base
    queued: tuple[int, ...]  # documents to be learned again, for only the fallen knew them

    @property
    def empty(self) -> bool:
        return not self.items

    @property
    def fallen_digests(self) -> tuple[str, ...]:
        return tuple(one.sha256 for one in self.fallen if one.sha256)


def as_searched(text: str) -> str:
    """NFC, with every run of white space as one blank: how a text is typed does not matter."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def items_with(documents: Documents, wanted: str) -> Iterator[int | None]:
    """For every document its item where it holds this text; reads a megabyte at a time."""
    sought = as_searched(wanted)
    for document in documents.read_many(tuple(DocumentState)) if sought else ():
        holds = isinstance(document, StoredDocument) and any(
            sought in as_searched(words) for words in (document.text, *document.about.values())
        )
        yield document.item_id if holds and isinstance(document, StoredDocument) else None


def plan_forgetting(
    database: SealedDatabase,
    lookup: Lookup,
    shelf: AdapterShelf,
    items: Collection[int],
    *,
    everything: bool = False,
) -> ForgettingPlan:
    versions = _versions(database)
    asked = frozenset(items)
    contents = {one.content_hash for one in versions if one.item in asked}
    copies = {
        one.item for one in versions if one.content_hash in contents and one.state != "superseded"
    }
    whole = asked | copies
    going = [one for one in versions if one.item in whole or one.content_hash in contents]
    touched = frozenset(one.item for one in going) - whole
    concerned = whole | touched
    kept = shelf.kept()
    fallen = tainted(kept, concerned, everything=everything) if concerned or everything else []
    serves = serves_then(kept, fallen, shelf.opens)
    lost = frozenset().union(*(one.seen_items for one in fallen)) - concerned
    unlearned = lost - (serves.seen_items if serves else frozenset())
    gone = {one.document for one in going}
    texts = {one.content_hash for one in going if one.item in asked and one.state != "superseded"}
    return ForgettingPlan(
        items=whole,
        touched=touched,
        documents=tuple(one.document for one in going),
        hashes=(
            *_item_hashes(database, whole),
            *sorted(contents),
            *sorted(map(lookup.copy_of, texts)),
        ),
        fallen=tuple(fallen),
        serves_before=next((one for one in kept if one.current), None),
        serves=serves,
        queued=tuple(
            one.document
            for one in versions
            if one.state == "learned" and one.item in unlearned and one.document not in gone
        ),
    )


@dataclass(frozen=True, slots=True)
class _Version:
    document: int
    item: int
    state: str
    content_hash: bytes


def _versions(database: SealedDatabase) -> list[_Version]:
    rows = database.fetch("SELECT id, item, state, content_hash FROM documents ORDER BY id")
    return [_Version(*row) for row in rows]


def _item_hashes(database: SealedDatabase, items: Collection[int]) -> Iterator[bytes]:
    wanted = sorted(items)
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        marks = ",".join("?" * len(some))
        yield from (
            row[0]
            for row in database.fetch(
                f"SELECT item_hash FROM items WHERE id IN ({marks}) ORDER BY id",  # noqa: S608 - only marks
                some,
            )
        )
