# ruff: noqa: N818 - `Unreadable` says what happened; `UnreadableError` says it twice
"""What can go wrong when text is taken out of a file.

    ExtractingError
    ├── Unreadable           an extractor's word, in the child
    └── ExtractionFailed     what the service hears of it

Both hold a reason and nothing else: no path, no text.
"""

from daemon.collecting.skipping import SkipReason


class ExtractingError(Exception):
    """No text could be taken out of a file."""

    def __init__(self, reason: SkipReason) -> None:
        self.reason = reason
        super().__init__(str(reason))


class Unreadable(ExtractingError):
    """This file gives no text; look at it with the program that it was made with."""


class ExtractionFailed(ExtractingError):
    """A file gave no text, or not all of it; it is tried again when it changes."""
