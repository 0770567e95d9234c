"""Every document that a night could use: its size, what is new in it, what is known of it.

Reads what is new and what judges; of what was learned nothing is opened.
"""

import contextlib
import logging
from collections.abc import Collection, Mapping
from dataclasses import replace

from daemon.growing import new_part
from daemon.night_planning import Waiting
from daemon.spoken import is_called_good
from storage.errors import StorageError
from storage.records import DocumentState, StoredDocument
from storage.vault import Vault
from trainer.curation_facts import NOT_JUDGED, TextFacts

log = logging.getLogger("nightloom.night")

OPENED = (DocumentState.NEW, DocumentState.HELD_OUT, DocumentState.STABLE)


def waiting_documents(
    vault: Vault,
    *,
    learned: Collection[int] = frozenset(),
    facts: Mapping[int, TextFacts] | None = None,
) -> list[Waiting]:
    """Every current version, in order of collection; damaged ones are left out.

    Args:
        learned: versions that the adapter was trained on from which the night would start. Of a
            text whose newest such version is there still, only what has changed since is new.
        facts: by document; what they do not name waits. Empty: nothing is known of any.
    """
    heads = vault.documents.heads()
    superseded = DocumentState.SUPERSEDED
    before = {
        head.item_id: head.document_id
        for head in heads
        if head.state is superseded and head.document_id in learned
    }
    opened: dict[int, Waiting] = {}
    for document in vault.documents.read_many(OPENED):
        if isinstance(document, StoredDocument):
            opened[document.document_id] = _measured(vault, document, before, facts or {})
        else:
            log.warning("document %d is damaged and left out", document.row_id)
    return [
        opened[head.document_id]
        if head.state in OPENED
        else _with_facts(
            facts or {},
            Waiting(
                document_id=head.document_id,
                item_id=head.item_id,
                version=head.version,
                state=head.state,
                characters=0,
            ),
        )
        for head in heads
        if head.state is not superseded and (head.state not in OPENED or head.document_id in opened)
    ]


def _measured(
    vault: Vault,
    document: StoredDocument,
    before: Mapping[int, int],
    facts: Mapping[int, TextFacts],
) -> Waiting:
    fresh = None
    if document.state is DocumentState.NEW and document.item_id in before:
        with contextlib.suppress(StorageError):  # then all of it is new
            fresh = new_part(vault.documents.read(before[document.item_id]).text, document.text)
    start, end = fresh or (0, len(document.text))
    waiting = Waiting(
        document_id=document.document_id,
        item_id=document.item_id,
        version=document.version,
        state=document.state,
        characters=end - start,
        own=document.own,
        fresh=fresh,
    )
    found = _with_facts(facts, waiting)
    return replace(found, quality=1.0) if is_called_good(document) else found


def _with_facts(facts: Mapping[int, TextFacts], waiting: Waiting) -> Waiting:
    known = facts.get(waiting.document_id)
    if known is None:  # it came since they were found; nobody looked yet what it overlaps
        return replace(waiting, left_out=NOT_JUDGED) if facts else waiting
    return replace(
        waiting,
        quality=known.quality,
        left_out=known.reason,
        family=known.family,
    )
