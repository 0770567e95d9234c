"""The vault as the collector's store."""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from daemon.collecting.putting import drop_and_tell, put_and_tell
from daemon.collecting.store import FileStamp, PutResult
from daemon.errors import VaultQuotaReached
from daemon.forgetting_nights import is_unfinished
from daemon.vault_door import Door
from storage.errors import RowDamaged, UnknownDocument
from storage.moving import Move
from storage.records import DocumentState, RedactedDocument
from storage.vault import Vault

SWEEP_DOCUMENTS = 200  # opened in one go, so that others get their turn at the vault


class VaultStore:
    """See `store.DocumentStore`.

    Args:
        most_bytes: that the vault's database may take; None is no bound.
    """

    def __init__(self, door: Door, *, most_bytes: int | None = None) -> None:
        self._door = door
        self._most_bytes = most_bytes

    async def put_many(self, documents: list[RedactedDocument]) -> Sequence[PutResult]:
        return await self._door.call(lambda vault: self._put(vault, documents))

    async def put_over(self, document: RedactedDocument, draft: int | None) -> PutResult:
        """Keep one document, in place of a version that no night has learned or is learning."""

        def act(vault: Vault) -> PutResult:
            with vault.transaction():
                newest = vault.ledger.nights(1)
                if draft is not None and not (newest and is_unfinished(newest[0])):
                    vault.documents.delete([draft])
                return self._put(vault, [document])[0]

        return await self._door.call(act)

    def _put(self, vault: Vault, documents: list[RedactedDocument]) -> Sequence[PutResult]:
        if self._most_bytes is not None:
            coming = sum(len(document.text) for document in documents)
            if vault.database_bytes() + coming > self._most_bytes:
                raise VaultQuotaReached(f"{self._most_bytes / 1e9:g}")
        return put_and_tell(vault, documents)

    async def has_room(self) -> bool:
        most = self._most_bytes
        return most is None or await self._door.call(lambda vault: vault.database_bytes() < most)

    async def remove(self, source: str, paths: Sequence[str], *, deleted: bool = False) -> int:
        if deleted:
            return await self._door.call(lambda vault: drop_and_tell(vault, source, paths))
        return await self._door.call(lambda vault: vault.letting_go.of_paths(source, paths))

    async def sweep(self, source: str, unwanted: Callable[[str], bool]) -> int:
        removed = 0
        ids = await self._door.call(lambda vault: _documents_of(vault, source))
        for some in _pieces(ids):
            paths = await self._door.call(functools.partial(_paths_of, ids=some))
            gone = await asyncio.to_thread(_those, unwanted, paths)
            if gone:
                removed += await self._door.call(functools.partial(_let_go, ids=gone))
        return removed

    async def knows(self, source: str) -> bool:
        return await self._door.call(lambda vault: vault.known_files.knows(source))

    async def unchanged(self, source: str, stamps: Mapping[str, FileStamp]) -> set[str]:
        return await self._door.call(lambda vault: vault.known_files.unchanged(source, stamps))

    async def remember(self, source: str, stamps: Mapping[str, FileStamp]) -> None:
        await self._door.call(lambda vault: vault.known_files.remember(source, stamps))

    async def places(self, documents: Collection[int]) -> dict[int, tuple[str, str]]:
        return await self._door.call(functools.partial(_places_of, ids=documents))

    async def move(self, moves: Sequence[Move]) -> set[int]:
        return await self._door.call(lambda vault: vault.moving.move(moves))

    async def not_among(self, source: str, paths: Collection[str]) -> list[str]:
        ids = await self._door.call(lambda vault: vault.documents.elsewhere(source, paths))
        found: set[str] = set()
        for some in _pieces(ids):
            opened = await self._door.call(functools.partial(_paths_of, ids=some))
            found.update(opened.values())
        return sorted(found.difference(paths))

    async def count(self, source: str) -> int:
        counts = await self._door.call(lambda vault: vault.documents.counts_by_source())
        return counts.get(source, 0)


def _documents_of(vault: Vault, source: str) -> list[int]:
    """All versions, also those that were superseded."""
    key = vault.documents.source_key(source)
    return [head.document_id for head in vault.documents.heads() if head.source_key == key]


def _paths_of(vault: Vault, *, ids: Sequence[int]) -> dict[int, str]:
    """Those that open; a damaged row has no path any more."""
    paths = {}
    for number in ids:
        try:
            paths[number] = vault.documents.read(number).path
        except (RowDamaged, UnknownDocument):
            continue
    return paths


def _places_of(vault: Vault, *, ids: Collection[int]) -> dict[int, tuple[str, str]]:
    places = {}
    for number in ids:
        with contextlib.suppress(RowDamaged, UnknownDocument):
            document = vault.documents.read(number)
            if document.state is not DocumentState.SUPERSEDED:
                places[number] = document.source, document.path
    return places


def _those(unwanted: Callable[[str], bool], paths: Mapping[int, str]) -> list[int]:
    return [number for number, path in paths.items() if unwanted(path)]


def _let_go(vault: Vault, *, ids: Sequence[int]) -> int:
    return vault.letting_go.of_documents(ids)


def _pieces(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[at : at + SWEEP_DOCUMENTS] for at in range(0, len(ids), SWEEP_DOCUMENTS))
