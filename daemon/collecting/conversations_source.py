"""Sources of kind `conversations`: chats held over our own `api.sock`. There are no files.

What is said comes by itself (`conversation_listening.py`); there is nothing to scan or to watch.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from daemon.collecting.skipping import Skipped, SkipReason
from daemon.collecting.source import FoundFile, ReadFile
from storage.records import SourceSettings

KIND = "conversations"
NO_PLACE = Path("/dev/null/conversations")  # nothing is there, and nothing can be


class ConversationsSource:
    """See `source.Source`."""

    folder = NO_PLACE
    only = None

    def __init__(
        self, settings: SourceSettings, *, exclusions: Sequence[str] = (), **_: Any
    ) -> None:
        self.settings = settings

    def check(self) -> tuple[int, int]:
        return 0, 0

    def concerns(self, path: str, *, is_folder: bool) -> bool:
        return False

    def excludes(self, path: str) -> bool:
        """Globs are about files."""
        return False

    def exclusions(self) -> bytes:
        return b""

    def scan(self, path: str = "") -> Iterator[FoundFile | Skipped]:
        return iter(())

    def read(self, file: FoundFile) -> ReadFile | SkipReason:
        return SkipReason.VANISHED
