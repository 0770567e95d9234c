"""The kinds of sources there are. A new one is one file with one class and one line here."""

import time
from collections.abc import Callable, Mapping, Sequence

from daemon.collecting.folder_source import FolderSource
from daemon.collecting.source import Source
from daemon.errors import UnsupportedKind
from storage.records import SourceSettings

KINDS: Mapping[str, Callable[..., Source]] = {
    "folder": FolderSource,
}


def make_source(
    settings: SourceSettings,
    *,
    most_bytes: int,
    exclusions: Sequence[str] = (),
    now: Callable[[], float] = time.time,
) -> Source:
    """`exclusions` are the globs for all sources. Raises UnsupportedKind."""
    kind = KINDS.get(settings.kind)
    if kind is None:
        raise UnsupportedKind(", ".join(KINDS))
    return kind(settings, most_bytes=most_bytes, exclusions=exclusions, now=now)
