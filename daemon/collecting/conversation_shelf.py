"""Kept conversations in the vault: known again, read, marked, and an exchange taken out of one.

A part of `conversation_listening.py`; what is new goes through the collector's store instead.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from daemon.collecting.conversation_exchanges import (
    Conversation,
    Exchange,
    conversation_in,
    hashed_parts,
    key_of,
    keys_in,
    to_document,
)
from daemon.collecting.redaction import redact
from daemon.vault_door import Door
from storage.errors import RowDamaged, UnknownDocument
from storage.records import DocumentState, StoredDocument
from storage.vault import Vault

MOST_KNOWN = 2_000  # conversations that can go on, the newest ones
READ_AT_ONCE = 200  # then others have the vault
TAKEN_OUT = "exchange_taken_out"  # the event


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A conversation as it stands in the vault now."""

    document_id: int
    is_draft: bool  # no night has learned it
    conversation: Conversation = field(repr=False)


class ConversationShelf:
    """Of one source. All of it raises `VaultIsLocked`."""

    def __init__(self, door: Door, source: str) -> None:
        self._door = door
        self._source = source

    async def known(self) -> list[tuple[str, Sequence[str]]]:
        """Path and keys of each conversation, the oldest first."""
        ids = await self._door.call(self._live_ids)
        found: list[tuple[str, Sequence[str]]] = []
        for start in range(0, len(ids), READ_AT_ONCE):
            found += await self._door.call(self._keys_of(ids[start : start + READ_AT_ONCE]))
        return found

    async def keys(self, exchanges: Iterable[Exchange]) -> list[str]:
        parts = [hashed_parts(one) for one in exchanges]
        return await self._door.call(
            lambda vault: [key_of(*map(vault.documents.text_key, both)) for both in parts]
        )

    async def read(self, path: str) -> Kept | None:
        """None where there is none any more."""
        return await self._door.call(lambda vault: _kept(vault, self._source, path))

    async def mark_good(self, path: str) -> bool:
        """Whether it is still there."""

        def act(vault: Vault) -> bool:
            kept = _kept(vault, self._source, path)
            if kept is None:
                return False
            document = vault.documents.read(kept.document_id)
            self._write(vault, document, replace(kept.conversation, good=True))
            return True

        return await self._door.call(act)

    async def take_out(self, path: str, key: str) -> Kept | None:
        """An exchange out of every version; what is left of the conversation, if anything."""

        def act(vault: Vault) -> Kept | None:
            with vault.transaction():
                empty = []
                for number in vault.documents.at(self._source, path):
                    document = _opened(vault, number)
                    said = None if document is None else conversation_in(document)
                    if document is None or said is None or key not in said.keys:
                        continue
                    if said.without(key).teaches:
                        self._write(vault, document, said.without(key))
                    else:
                        empty.append(number)
                vault.documents.delete(empty)
                vault.ledger.append_event(TAKEN_OUT, {"source": self._source})
            return _kept(vault, self._source, path)

        return await self._door.call(act)

    # ------------------------------------------------------------------- in the vault's thread

    def _write(self, vault: Vault, document: StoredDocument, now: Conversation) -> None:
        changed = to_document(now, source=self._source, modified_at=document.modified_at)
        vault.documents.replace(document.document_id, redact(changed))

    def _live_ids(self, vault: Vault) -> list[int]:
        key = vault.documents.source_key(self._source)
        return [
            head.document_id
            for head in vault.documents.heads()
            if head.source_key == key and head.state is not DocumentState.SUPERSEDED
        ][-MOST_KNOWN:]

    def _keys_of(self, ids: Sequence[int]) -> Callable[[Vault], list[tuple[str, Sequence[str]]]]:
        def act(vault: Vault) -> list[tuple[str, Sequence[str]]]:
            documents = [_opened(vault, number) for number in ids]
            return [(one.path, keys_in(one)) for one in documents if one is not None]

        return act


def _kept(vault: Vault, source: str, path: str) -> Kept | None:
    versions = vault.documents.at(source, path)
    document = _opened(vault, versions[-1]) if versions else None
    if document is None or document.state is DocumentState.SUPERSEDED:
        return None
    conversation = conversation_in(document)
    if conversation is None:
        return None
    return Kept(
        document_id=document.document_id,
        is_draft=document.state is DocumentState.NEW,
        conversation=conversation,
    )


def _opened(vault: Vault, number: int) -> StoredDocument | None:
    """None for one that is damaged, which `verify` names, or went meanwhile."""
    try:
        return vault.documents.read(number)
    except (RowDamaged, UnknownDocument):
        return None
