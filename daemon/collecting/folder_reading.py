"""One file of a folder to its document: plain text here, everything else in the confined child."""

import os
from dataclasses import dataclass, field

from daemon.collecting.decoding import decode
from daemon.collecting.extraction import extract_file
from daemon.collecting.marker import is_marked_off
from daemon.collecting.reading import Below
from daemon.collecting.skipping import SkipReason
from daemon.collecting.source import FoundFile, ReadFile, kept_path
from daemon.collecting.suffixes import EXTRACTED, LIGHT, WITH_COMMENTS, WITH_PICTURES, suffix_of
from daemon.extracting.errors import ExtractionFailed
from daemon.extracting.extractor import Extractor
from storage.records import CollectedDocument, SourceSettings

PICTURES_FACTOR = 10  # how much larger a file may be that holds pictures beside its text
HEAD_BYTES = 16 * 1024  # in which a comment may say `nightloom: off`


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderReading:
    """How files are read.

    Args:
        most_bytes: of a file of text, and of the text in any other.
        extractor: reads what is not plain text; without one such files are of unknown format.
    """

    files: Below = field(repr=False)
    settings: SourceSettings
    most_bytes: int
    extractor: Extractor | None

    def read(self, file: FoundFile) -> ReadFile | SkipReason:
        if file.size == 0:
            return SkipReason.EMPTY
        suffix = suffix_of(file.path)
        format = EXTRACTED.get(suffix)
        return self._plain(file, suffix) if format is None else self._extracted(file, format)

    def _plain(self, file: FoundFile, suffix: str) -> ReadFile | SkipReason:
        if file.size > self.most_bytes:
            return SkipReason.TOO_LARGE
        content = self.files.read(file.path, most_bytes=self.most_bytes)
        if isinstance(content, SkipReason):
            return content
        text = decode(content.data)
        if isinstance(text, SkipReason):
            return text
        if is_marked_off(text):
            return SkipReason.MARKED
        reader = LIGHT.get(suffix)
        about: dict[str, str] = {}
        if reader is not None:
            text, about = reader(text)
            if not text or text.isspace():
                return SkipReason.EMPTY
        document = CollectedDocument(
            source=self.settings.name,
            path=kept_path(file.path),
            modified_at=content.mtime_ns / 1e9,
            text=text,
            own=self.settings.own,
            about=about,
        )
        return ReadFile(documents=iter((document,)), size=content.size, mtime_ns=content.mtime_ns)

    def _extracted(self, file: FoundFile, format: str) -> ReadFile | SkipReason:
        """All at once, so that a file that breaks in the middle gives nothing."""
        most = self.most_bytes * (PICTURES_FACTOR if format in WITH_PICTURES else 1)
        if file.size > most:
            return SkipReason.TOO_LARGE
        if self.extractor is None:
            return SkipReason.UNKNOWN_FORMAT
        if format in WITH_COMMENTS and is_marked_off(self._head(file)):
            return SkipReason.MARKED
        read = extract_file(
            self.extractor,
            self.files.root,
            file,
            format=format,
            settings=self.settings,
            most_bytes=most,
            most_document_bytes=self.most_bytes,
            open_file=self.files.open_file,
        )
        if isinstance(read, SkipReason):
            return read
        try:
            documents = tuple(read.documents)
        except ExtractionFailed as failed:
            return failed.reason
        if any(is_marked_off(document.text) for document in documents):
            return SkipReason.MARKED
        return ReadFile(documents=iter(documents), size=read.size, mtime_ns=read.mtime_ns)

    def _head(self, file: FoundFile) -> str:
        """Its first lines, as far as they can be read; what is wrong with them is told later."""
        descriptor = self.files.open(file.path)
        if isinstance(descriptor, SkipReason):
            return ""
        try:
            head = os.pread(descriptor, HEAD_BYTES, 0)
        except OSError:
            return ""
        finally:
            os.close(descriptor)
        encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        return head.decode(encoding, "ignore").replace("\r\n", "\n").replace("\r", "\n")
