"""Where redacted documents go, as the collector sees it. Knows nothing of the vault."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from storage.known_files import FileStamp
from storage.moving import Move
from storage.records import RedactedDocument

DUPLICATE = "duplicate"
FORGOTTEN = "forgotten"
STORED = frozenset({"stored", "new_version"})

__all__ = ["DUPLICATE", "FORGOTTEN", "STORED", "DocumentStore", "FileStamp", "PutResult"]


class PutResult(Protocol):
    @property
    def outcome(self) -> str:
        """`stored`, `new_version`, `unchanged`, `duplicate` or `forgotten`."""
        ...

    @property
    def document_id(self) -> int | None:
        """The document that holds the text; of another item for a duplicate."""
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

    async def remove(self, source: str, paths: Sequence[str], *, deleted: bool = False) -> int:
        """Keep these no longer; they may come again. How many documents there were.

        `deleted`: because their files were, which the record of events tells.
        """
        ...

    async def sweep(self, source: str, unwanted: Callable[[str], bool]) -> int:
        """`remove` for all paths that are unwanted; `unwanted` is called in a thread."""
        ...

    async def knows(self, source: str) -> bool:
        """Whether any file of the source was remembered."""
        ...

    async def unchanged(self, source: str, stamps: Mapping[str, FileStamp]) -> set[str]:
        """The paths among `stamps` that were remembered with the same stamp."""
        ...

    async def remember(self, source: str, stamps: Mapping[str, FileStamp]) -> None: ...

    async def places(self, documents: Collection[int]) -> dict[int, tuple[str, str]]:
        """The source and the path of each that is current and can be opened."""
        ...

    async def move(self, moves: Sequence[Move]) -> set[int]:
        """Give items another place, with all their versions; those for which it was done."""
        ...

    async def not_among(self, source: str, paths: Collection[str]) -> list[str]:
        """The paths of the source's documents that are none of these."""
        ...

    async def count(self, source: str) -> int:
        """How many documents of the source are kept."""
        ...
