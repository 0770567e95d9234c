"""An exchange's way into the vault: known again, put where it belongs, redacted, kept; and out.

Used by one task at a time. Knows nothing of when something is heard.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from daemon.collecting.conversation_exchanges import Conversation, Exchange, to_document
from daemon.collecting.conversation_growth import KnownExchanges, Said, begun, grown
from daemon.collecting.conversation_shelf import ConversationShelf, Kept
from daemon.collecting.redaction import redact
from daemon.collecting.store import STORED, PutResult
from storage.records import RedactedDocument

UNCHANGED = "unchanged"


class ConversationStore(Protocol):
    """The part of `VaultStore` that is needed here."""

    async def put_over(self, document: RedactedDocument, draft: int | None) -> PutResult: ...

    async def count(self, source: str) -> int: ...


class ConversationKeeping:
    """Of one source. All of it raises `VaultIsLocked`."""

    def __init__(self, source: str, *, store: ConversationStore, shelf: ConversationShelf) -> None:
        self._source = source
        self._store = store
        self._shelf = shelf
        self._known: KnownExchanges | None = None  # until something is heard

    async def key(self, exchange: Exchange) -> str:
        return (await self._shelf.keys([exchange]))[0]

    async def keep(self, exchanges: Sequence[Exchange], *, now: float) -> str:
        """The newest of them, after what its client says was said before; the outcome.

        Raises:
            VaultQuotaReached, StorageError
        """
        *history, key = await self._shelf.keys(exchanges)
        *earlier, newest = exchanges
        said = Said(key=key, exchange=newest, history=dict(zip(history, earlier)))
        if await self._is_kept(key):
            return UNCHANGED
        before, conversation = await self._goes_on(said, history)
        document = to_document(conversation, source=self._source, modified_at=now)
        redacted = await asyncio.to_thread(redact, document)
        same = before is not None and before.conversation.path == conversation.path
        draft = before.document_id if before and same and before.is_draft else None
        put = await self._store.put_over(redacted, draft)
        if put.outcome in STORED:
            (await self._all_known()).note(conversation.path, conversation.keys)
        return str(put.outcome)

    async def mark_good(self, key: str) -> bool:
        """Whether the exchange is kept."""
        paths = (await self._all_known()).paths_with(key)
        return any([await self._shelf.mark_good(path) for path in paths])

    async def take_out(self, key: str) -> None:
        """Of every version of every conversation that has it."""
        known = await self._all_known()
        for path in known.paths_with(key):
            left = await self._shelf.take_out(path, key)
            if left is None:
                known.drop(path)
            else:
                known.note(path, left.conversation.keys)

    async def paths_with(self, key: str) -> tuple[str, ...]:
        """Of the conversations that have it."""
        return (await self._all_known()).paths_with(key)

    async def count(self) -> int:
        return await self._store.count(self._source)

    # ------------------------------------------------------------------- what is known

    async def _is_kept(self, key: str) -> bool:
        known = await self._all_known()
        while paths := known.paths_with(key):
            kept = await self._shelf.read(paths[0])
            if kept is not None and key in kept.conversation.keys:
                return True
            known.drop(paths[0])  # it was forgotten, or grew too old
        return False

    async def _goes_on(
        self, said: Said, history: Sequence[str]
    ) -> tuple[Kept | None, Conversation]:
        """The conversation that it goes on from, if there is one, and what that becomes."""
        known = await self._all_known()
        while (place := known.before(said.key, history)) is not None:
            kept = await self._shelf.read(place.path)
            if kept is not None and known.agrees(place.path, kept.conversation.keys):
                return kept, grown(kept.conversation, place.position, said)
            known.drop(place.path)
        return None, begun(said)

    async def _all_known(self) -> KnownExchanges:
        if self._known is None:
            known = KnownExchanges()
            for path, keys in await self._shelf.known():
                known.note(path, keys)
            self._known = known
        return self._known
