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
    OF_A_PROGRAM = "of_a_program"  # its settings, templates, bin, lock files
    SYMLINK = "symlink"
    NOT_REGULAR = "not_regular"  # a pipe, a device, a socket
    OTHER_FILE_SYSTEM = "other_file_system"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    BINARY = "binary"
    UNREADABLE = "unreadable"
    VANISHED = "vanished"  # between finding and reading
    CHANGING = "changing"  # is being written; taken when it rests
    ENCRYPTED = "encrypted"  # opens with a password only
    NO_TEXT = "no_text"  # pictures of pages, say
    DAMAGED = "damaged"  # not what its format allows
    BOMB = "bomb"  # far more inside than such a file holds
    TOO_SLOW = "too_slow"  # more time than one file may take
    TOO_HUNGRY = "too_hungry"  # more memory than one file may take
    UNKNOWN_FORMAT = "unknown_format"
    NO_TRAIN = "no_train"  # a chat that its client wanted to be kept out
    DROPPED = "dropped"  # a chat that could not be kept, or too many at once
    AUTOMATIC = "automatic"  # a letter that a program wrote in the user's name
    DELETED = "deleted"  # a letter that is marked as deleted, as a draft or as spam
    NOT_NAMED = "not_named"  # a chat in which nobody is the user, as far as the source was told


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file or folder that was left out."""

    path: str = field(repr=False)  # relative to the source
    reason: SkipReason
