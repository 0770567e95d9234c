"""Why a file was left out: codes for `skipped: {reason: count}`, and the find itself."""

from dataclasses import dataclass, field
from enum import StrEnum


class SkipReason(StrEnum):
    """One word per reason; never a path, never text."""

    NOT_INCLUDED = "not_included"  # fits none of the source's globs
    EXCLUDED = "excluded"  # by a glob, of the source or of all
    IGNORED = "ignored"  # by a `.nightloomignore`
    MARKED = "marked"  # the file says `nightloom: off`
    TOO_OLD = "too_old"  # older than the source's retention
    HIDDEN = "hidden"
    SYMLINK = "symlink"
    NOT_REGULAR = "not_regular"  # a pipe, a device, a socket
    OTHER_FILE_SYSTEM = "other_file_system"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    BINARY = "binary"
    UNREADABLE = "unreadable"
    VANISHED = "vanished"  # between finding and reading
    CHANGING = "changing"  # is being written; taken when it rests


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file or folder that was left out."""

    path: str = field(repr=False)  # relative to the source
    reason: SkipReason
