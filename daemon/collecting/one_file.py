"""What lies at one path, as its source would give it: for the user's word about that path.

Reads and keeps nothing. Knows nothing of why somebody asks.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from daemon.collecting.file_place import place_of
from daemon.collecting.redaction import redact
from daemon.collecting.skipping import Skipped, SkipReason
from daemon.collecting.source import ReadFile, Source, kept_path
from daemon.extracting.errors import ExtractionFailed
from storage.records import RedactedDocument


class NotInASource(Exception):  # noqa: N818 - says what happened
    """The path lies below no source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAt:
    """One file by its names in the vault, and its texts, redacted; none where it cannot be read.

    `items` are the names of the documents in a file that holds many.
    """

    source: str
    path: str = field(repr=False)
    texts: tuple[str, ...] = field(default=(), repr=False)
    items: tuple[str, ...] = field(default=(), repr=False)


def files_at(sources: Iterable[Source], path: Path) -> list[FileAt]:
    """The file at `path`, also one that is gone, or all files below it.

    Raises:
        NotInASource: no source has anything there.
    """
    place = path.parent.resolve() / path.name
    for source in sources:
        relative = place_of(source.settings).relative(place)
        if relative is not None:
            return list(_files(source, relative))
    raise NotInASource


def _files(source: Source, relative: str) -> Iterator[FileAt]:
    name = source.settings.name
    for find in source.scan(relative):
        read: tuple[RedactedDocument, ...] = ()
        path = kept_path(find.path)
        if not isinstance(find, Skipped):
            content = source.read(find)
            if not isinstance(content, SkipReason):
                read = tuple(_documents(content))
        yield FileAt(
            source=name,
            path=path,
            texts=tuple(one.text for one in read),
            items=tuple(one.path for one in read if one.path != path),
        )


def _documents(content: ReadFile) -> Iterator[RedactedDocument]:
    """All that can be read."""
    with suppress(ExtractionFailed):
        yield from map(redact, content.documents)
