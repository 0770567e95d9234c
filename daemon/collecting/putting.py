"""Documents and sources into the vault, and into its record of events, in one transaction."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from daemon.auditing.history import COLLECTED
from daemon.collecting.retelling import retell
from storage.document_rows import PutOutcome, PutResult
from storage.records import RedactedDocument, SourceSettings
from storage.vault import Vault

# What an event counts; a file that did not change is no event.
TOLD = {
    PutOutcome.STORED: "stored",
    PutOutcome.NEW_VERSION: "new_versions",
    PutOutcome.FORGOTTEN: "forgotten",
}


def put_and_tell(vault: Vault, documents: Sequence[RedactedDocument]) -> list[PutResult]:
    """As `Documents.put_many`; one event per source of which something was kept, or kept out."""
    with vault.transaction():
        results = vault.documents.put_many(documents)
        retell(vault, zip(documents, results, strict=True))
        by_source: dict[str, Counter[PutOutcome]] = defaultdict(Counter)
        for document, put in zip(documents, results, strict=True):
            by_source[document.source][put.outcome] += 1
        for source, counts in by_source.items():
            told = {name: counts[outcome] for outcome, name in TOLD.items() if counts[outcome]}
            if told:
                vault.ledger.append_event(COLLECTED, {"source": source, **told})
    return results


def drop_and_tell(vault: Vault, source: str, paths: Sequence[str]) -> int:
    """Documents whose files were deleted, and one event that counts them; how many there were."""
    with vault.transaction():
        dropped = vault.letting_go.of_paths(source, paths)
        if dropped:
            vault.ledger.append_event("deleted_files", {"source": source, "documents": dropped})
    return dropped


def add_and_tell(vault: Vault, source: SourceSettings) -> None:
    """Raises `SourceExists`."""
    with vault.transaction():
        vault.sources.add(source)
        vault.ledger.append_event("source_added", {"source": source.name, "of": source.kind})


def remove_and_tell(vault: Vault, name: str) -> None:
    """Its files count as never seen: it may be added again and told otherwise whose writing it is.

    Raises `UnknownSource`.
    """
    with vault.transaction():
        vault.sources.remove(name)
        vault.known_files.forget(name)
        vault.ledger.append_event("source_removed", {"source": name})
