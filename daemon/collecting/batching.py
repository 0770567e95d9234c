"""From files to batches of redacted documents, each small enough for one transaction.

Blocking; runs in a thread, one batch at a time, so that memory stays flat however much there is.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from daemon.collecting.redaction import redact
from daemon.collecting.redaction_rules import RULES_VERSION
from daemon.collecting.skipping import SkipReason
from daemon.collecting.source import FoundFile, Source
from daemon.collecting.store import FileStamp
from storage.records import RedactedDocument

log = logging.getLogger(__name__)

MOST_DOCUMENTS = 200
MOST_BYTES = 2 << 20


@dataclass(slots=True, kw_only=True)
class ReadBatch:
    """Documents for one transaction. `origins` names the file of each document."""

    documents: list[RedactedDocument] = field(default_factory=list, repr=False)
    origins: list[FoundFile] = field(default_factory=list, repr=False)
    finished: dict[FoundFile, FileStamp] = field(default_factory=dict, repr=False)
    skipped: dict[FoundFile, SkipReason] = field(default_factory=dict, repr=False)
    size: int = 0  # bytes of the documents, about

    @property
    def bytes_read(self) -> int:
        return sum(stamp.size for stamp in self.finished.values())

    def has_room_for(self, size: int) -> bool:
        return len(self.documents) < MOST_DOCUMENTS and self.size + size <= MOST_BYTES

    def add(self, document: RedactedDocument, origin: FoundFile) -> None:
        self.documents.append(document)
        self.origins.append(origin)
        self.size += len(document.text)

    def __bool__(self) -> bool:
        return bool(self.documents or self.finished or self.skipped)


def stamp_of(size: int, mtime_ns: int) -> FileStamp:
    """What is remembered of a file that was read under the rules of today."""
    return FileStamp(mtime_ns=mtime_ns, size=size, rules_version=RULES_VERSION)


def read_batches(source: Source, files: Iterable[FoundFile]) -> Iterator[ReadBatch]:
    """Read files in order. A file is `finished` in the batch that holds its last document."""
    batch = ReadBatch()
    for file in files:
        if batch.documents and not batch.has_room_for(file.size):
            yield batch
            batch = ReadBatch()
        try:
            content = source.read(file)
            if isinstance(content, SkipReason):
                batch.skipped[file] = content
                continue
            for document in content.documents:
                if batch.documents and not batch.has_room_for(len(document.text)):
                    yield batch
                    batch = ReadBatch()
                batch.add(redact(document), file)
        except Exception as error:  # one bad file costs one file, whatever is wrong with it
            log.error("a file could not be read (%s)", type(error).__name__)
            batch.skipped[file] = SkipReason.UNREADABLE
            continue
        batch.finished[file] = stamp_of(content.size, content.mtime_ns)
    if batch:
        yield batch
