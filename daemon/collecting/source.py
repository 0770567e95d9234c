"""What a kind of source has to be able to do, and what it finds.

Methods block and are called in a thread, one at a time per source, except `concerns`, which is
pure and may be asked from anywhere. Paths are relative to the source, with forward slashes; they
may hold surrogates where the file system's names are not UTF-8.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from daemon.collecting.skipping import Skipped, SkipReason
from storage.records import CollectedDocument, SourceSettings


class FoundFile(NamedTuple):
    """A file that is wanted, as it was when it was looked at.

    A named tuple, as there are hundreds of thousands, and each is looked up many times.
    """

    path: str
    size: int  # bytes
    mtime_ns: int
    ctime_ns: int  # moves with every change, also where the time of the text was set back

    def __repr__(self) -> str:
        return f"FoundFile(size={self.size}, mtime_ns={self.mtime_ns}, ctime_ns={self.ctime_ns})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """What a file gave: one document, or as many as lie in it, made one after the other.

    `left_out` counts what lies in the file and gave none, and is complete when all are made;
    `when_kept` is called when all of them are in the store.
    """

    documents: Iterator[CollectedDocument] = field(repr=False)
    size: int
    mtime_ns: int
    left_out: Mapping[SkipReason, int] = field(default_factory=dict)
    when_kept: Callable[[], None] | None = field(default=None, repr=False)


class Source(Protocol):
    """One place, one kind. Made by `kinds.make_source` from what the user allowed."""

    @property
    def settings(self) -> SourceSettings: ...

    @property
    def folder(self) -> Path:
        """What is watched for changes, with all that is below it unless `only` says otherwise."""
        ...

    @property
    def only(self) -> str | None:
        """The name of the one file in `folder` that the source is; None: all of the folder."""
        ...

    def check(self) -> tuple[int, int]:
        """The identity of the place; another one when it was replaced.

        Raises:
            SourceMissing, SourceNotAFolder, SourceUnreadable
        """
        ...

    def concerns(self, path: str, *, is_folder: bool) -> bool:
        """Whether a change at `path` can matter. Pure."""
        ...

    def excludes(self, path: str) -> bool:
        """Whether the user's exclusions say no to a path, so that text from it is not kept."""
        ...

    def exclusions(self) -> bytes:
        """Another value when `excludes` may say otherwise than before; empty while there are no
        exclusions. Complete after a scan of everything.
        """
        ...

    def scan(self, path: str = "") -> Iterator[FoundFile | Skipped]:
        """Everything at `path` and below, without opening any file; the whole source by default."""
        ...

    def read(self, file: FoundFile) -> ReadFile | SkipReason: ...


@runtime_checkable
class Staying(Protocol):
    """A source that reads files faster that lie side by side, while it stays in their folder."""

    def staying(self) -> AbstractContextManager[None]: ...


@runtime_checkable
class Stoppable(Protocol):
    """A source with files that take long; it asks now and then whether to give one up."""

    stopped: Callable[[], bool]


def kept_path(path: str) -> str:
    """A path as text that every encoder takes: bytes that are not UTF-8 become `\\udcff`."""
    if path.isascii():
        return path
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
