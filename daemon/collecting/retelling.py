"""A text that is kept already, told anew: who speaks where, and whose writing it is.

The words are the same, so there is no new version; but somebody may have said since then which name
in it is the user's. What was learned, and has other targets now, is new text again.
"""

from collections.abc import Iterable

from storage.document_rows import PutOutcome, PutResult
from storage.errors import RowDamaged
from storage.records import DocumentState, RedactedDocument, StoredDocument
from storage.vault import Vault


def retell(vault: Vault, put: Iterable[tuple[RedactedDocument, PutResult]]) -> int:
    """Within a transaction; how many documents are told anew."""
    told = 0
    again: dict[int, DocumentState] = {}
    for document, result in put:
        number = result.document_id
        if result.outcome is not PutOutcome.UNCHANGED or number is None:
            continue
        try:
            before = vault.documents.read(number)
        except RowDamaged:
            continue  # `verify` names it
        if is_told_alike(before, document):
            continue
        vault.documents.replace(number, document)
        told += 1
        if before.state is DocumentState.LEARNED and _targets(before) != _targets(document):
            again[number] = DocumentState.NEW
    vault.documents.set_states(again)
    return told


def is_told_alike(before: StoredDocument, now: RedactedDocument) -> bool:
    """What is known about a text besides may come and go, and is not compared."""
    return (before.turns, before.own) == (now.turns, now.own)


def _targets(document: StoredDocument | RedactedDocument) -> object:
    return [(turn.start, turn.end) for turn in document.turns if turn.own], document.own
