"""Where redacted documents go, as the collector sees it. Knows nothing of the vault."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from storage.records import RedactedDocument

DUPLICATE = "duplicate"
FORGOTTEN = "forgotten"
STORED = frozenset({"stored", "new_version"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStamp:
    """When one of these differs, the file is read again."""

    mtime_ns: int
    size: int  # bytes
    rules_version: int


class PutResult(Protocol):
    @property
    def outcome(self) -> str:
        """`stored`, `new_version`, `unchanged`, `duplicate` or `forgotten`."""
        ...


class DocumentStore(Protocol):
    """Keeps documents, and remembers which files were seen in which state."""

    async def put_many(self, documents: list[RedactedDocument]) -> Sequence[PutResult]:
        """Keep them in one transaction; one result each, in order.

        Raises:
            VaultQuotaReached: there is no room for them; nothing was kept.
        """
        ...

    async def has_room(self) -> bool:
        """Whether more may be kept."""
        ...

    async def remove(self, source: str, paths: Sequence[str]) -> int:
        """Keep these no longer; they may come again. How many documents there were."""
        ...

    async def sweep(self, source: str, unwanted: Callable[[str], bool]) -> int:
        """`remove` for all paths that are unwanted; `unwanted` is called in a thread."""
        ...

    async def unchanged(self, source: str, stamps: Mapping[str, FileStamp]) -> set[str]:
        """The paths among `stamps` that were remembered with the same stamp."""
        ...

    async def remember(self, source: str, stamps: Mapping[str, FileStamp]) -> None: ...

    async def count(self, source: str) -> int:
        """How many documents of the source are kept."""
        ...
