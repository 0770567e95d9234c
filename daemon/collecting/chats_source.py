"""Sources of kind `chats`: exports of chats, in a folder or one file; a document per conversation.

Which export a file is, is recognised in the child that reads it. Where people are named, the user
has to be: `me` of the settings.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from daemon.collecting.extraction import extract_file
from daemon.collecting.folder_source import FolderSource
from daemon.collecting.skipping import SkipReason
from daemon.collecting.source import FoundFile, ReadFile
from daemon.errors import ChatsNameNobody

EXPORTS = ("*.txt", "*.json", "*.jsonl", "*.zip")
MOST_EXPORT_BYTES = 1 << 30  # of an export; a file of many documents is large by itself
SHOWN_SPEAKERS = 30
ASKED_FILES = 20  # looked into when a source is added
ASKED_BYTES = 64 << 20  # of one of them; a larger one is read for its words only
FORMAT = "chats"
SPEAKERS_FORMAT = "chat_speakers"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chat:
    """Who speaks in it: how many, how many of them are the user, and names of some."""

    speakers: int
    named: int
    names: tuple[str, ...] = field(repr=False)


class ChatsSource(FolderSource):
    """See `source.Source`. Everything but reading is as in a folder."""

    def read(self, file: FoundFile) -> ReadFile | SkipReason:
        """Without conversations older than the source's retention, however new the file is."""
        content = self._extracted(file, FORMAT)
        if isinstance(content, SkipReason):
            return content
        young = (one for one in content.documents if not self.too_old(one.modified_at))
        return replace(content, documents=young)

    def check_settings(self) -> None:
        """Whether the user is named where that is needed; for when the source is added. Blocks.

        Raises:
            ChatsNameNobody: in none of the first exports one of the speakers is the user.
        """
        speakers = 0
        for chat in self._chats():
            if chat.named:
                return
            speakers = max(speakers, chat.speakers)
        if speakers:
            raise ChatsNameNobody(speakers)

    def speakers(self) -> list[str]:
        """Names of those who speak in the first exports, who is in most of them first. Blocks.

        None where one of them is the user, as the settings say.
        """
        chats = list(self._chats())
        if any(chat.named for chat in chats):
            return []
        often = Counter(name for chat in chats for name in chat.names)
        return [name for name, _ in often.most_common(SHOWN_SPEAKERS)]

    def _chats(self) -> Iterator[_Chat]:
        """The first chats that name people."""
        files = (find for find in self.scan() if isinstance(find, FoundFile))
        for file in islice((one for one in files if one.size <= ASKED_BYTES), ASKED_FILES):
            content = self._extracted(file, SPEAKERS_FORMAT)
            if isinstance(content, ReadFile):
                for document in content.documents:
                    yield _Chat(
                        speakers=int(document.about["speakers"]),
                        named=int(document.about["named"]),
                        names=tuple(document.text.splitlines()),
                    )

    def _extracted(self, file: FoundFile, format: str) -> ReadFile | SkipReason:
        if self._extractor is None:
            return SkipReason.UNKNOWN_FORMAT
        return extract_file(
            self._extractor,
            self.folder,
            file,
            format=format,
            settings=self.settings,
            most_bytes=max(MOST_EXPORT_BYTES, self._most_bytes),
            most_document_bytes=self._most_bytes,
            open_file=self._open_file,
        )
