"""What lies at one path, as its source would give it: for the user's word about that path.

Reads and keeps nothing. Knows nothing of why somebody asks.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from daemon.collecting.redaction import redact
from daemon.collecting.skipping import Skipped, SkipReason
from daemon.collecting.source import Source, kept_path


class NotInASource(Exception):  # noqa: N818 - says what happened
    """The path lies below no source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAt:
    """One file by its names in the vault, and its texts, redacted; none where it cannot be read."""

    source: str
    path: str = field(repr=False)
    texts: tuple[str, ...] = field(default=(), repr=False)


def files_at(sources: Iterable[Source], path: Path) -> list[FileAt]:
    """The file at `path`, also one that is gone, or all files below it.

    Raises:
        NotInASource: no source has anything there.
    """
    place = path.parent.resolve() / path.name
    for source in sources:
        if place == source.folder or source.folder in place.parents:
            relative = place.relative_to(source.folder).as_posix()
            return list(_files(source, "" if relative == "." else relative))
    raise NotInASource


def _files(source: Source, relative: str) -> Iterator[FileAt]:
    name = source.settings.name
    for find in source.scan(relative):
        texts: tuple[str, ...] = ()
        if not isinstance(find, Skipped):
            content = source.read(find)
            if not isinstance(content, SkipReason):
                texts = tuple(redact(document).text for document in content.documents)
        yield FileAt(source=name, path=kept_path(find.path), texts=texts)
