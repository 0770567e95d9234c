"""The kinds of sources there are. A new one is one file with one class and one line here."""

import time
from collections.abc import Callable, Mapping, Sequence

from daemon.collecting.chats_source import EXPORTS, ChatsSource
from daemon.collecting.conversations_source import ConversationsSource
from daemon.collecting.folder_source import FolderSource
from daemon.collecting.mail_source import EVERYTHING, MailSource
from daemon.collecting.source import Source
from daemon.errors import UnsupportedKind
from daemon.extracting.extractor import Extractor
from storage.records import SourceSettings

KINDS: Mapping[str, Callable[..., Source]] = {
    "folder": FolderSource,
    "mail": MailSource,
    "chats": ChatsSource,
    "conversations": ConversationsSource,
}

# What is taken in where nobody said what; for the other kinds it is what `SourceSettings` says.
INCLUDES: Mapping[str, tuple[str, ...]] = {
    "mail": EVERYTHING,
    "chats": EXPORTS,
}


def check_settings(source: Source) -> None:
    """What a kind has to be told when a source is added. Blocks. Raises SourceError."""
    if isinstance(source, ChatsSource):
        source.check_settings()


def make_source(
    settings: SourceSettings,
    *,
    most_bytes: int,
    exclusions: Sequence[str] = (),
    extractor: Extractor | None = None,
    now: Callable[[], float] = time.time,
) -> Source:
    """`exclusions` are the globs for all sources; `extractor` reads what is not plain text.

    Raises UnsupportedKind.
    """
    kind = KINDS.get(settings.kind)
    if kind is None:
        raise UnsupportedKind(", ".join(KINDS))
    return kind(
        settings, most_bytes=most_bytes, exclusions=exclusions, extractor=extractor, now=now
    )
