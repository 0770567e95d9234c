"""The vault as the collector's store."""

from collections.abc import Mapping, Sequence

from daemon.collecting.store import FileStamp, PutResult
from daemon.vault_door import VaultDoor
from storage import known_files
from storage.records import RedactedDocument


class VaultStore:
    """See `store.DocumentStore`."""

    def __init__(self, door: VaultDoor) -> None:
        self._door = door

    async def put_many(self, documents: list[RedactedDocument]) -> Sequence[PutResult]:
        return await self._door.call(lambda vault: vault.documents.put_many(documents))

    async def unchanged(self, source: str, stamps: Mapping[str, FileStamp]) -> set[str]:
        kept = _as_kept(stamps)
        return await self._door.call(lambda vault: vault.known_files.unchanged(source, kept))

    async def remember(self, source: str, stamps: Mapping[str, FileStamp]) -> None:
        kept = _as_kept(stamps)
        await self._door.call(lambda vault: vault.known_files.remember(source, kept))

    async def count(self, source: str) -> int:
        counts = await self._door.call(lambda vault: vault.documents.counts_by_source())
        return counts.get(source, 0)


def _as_kept(stamps: Mapping[str, FileStamp]) -> dict[str, known_files.FileStamp]:
    return {
        path: known_files.FileStamp(
            mtime_ns=stamp.mtime_ns, size=stamp.size, rules_version=stamp.rules_version
        )
        for path, stamp in stamps.items()
    }
