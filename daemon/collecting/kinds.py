"""The kinds of sources there are. A new one is one file with one class and one line here."""

from collections.abc import Callable, Mapping

from daemon.collecting.folder_source import FolderSource
from daemon.collecting.source import Source
from daemon.errors import UnsupportedKind
from storage.records import SourceSettings

KINDS: Mapping[str, Callable[..., Source]] = {
    "folder": FolderSource,
}


def make_source(settings: SourceSettings, *, most_bytes: int) -> Source:
    """Raises UnsupportedKind."""
    kind = KINDS.get(settings.kind)
    if kind is None:
        raise UnsupportedKind(", ".join(KINDS))
    return kind(settings, most_bytes=most_bytes)
