"""From files to batches of redacted documents, each small enough for one transaction.

Blocking; runs in a thread, one batch at a time, so that memory stays flat however much there is.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from daemon.collecting.redaction import redact
from daemon.collecting.redaction_rules import RULES_VERSION
from daemon.collecting.skipping import SkipReason
from daemon.collecting.source import FoundFile, ReadFile, Source
from daemon.collecting.store import FileStamp
from daemon.extracting.errors import ExtractionFailed
from storage.records import RedactedDocument

log = logging.getLogger(__name__)

MOST_DOCUMENTS = 2000  # each transaction touches most pages of the hashes: few large ones cost less
MOST_BYTES = 4 << 20
BATCH_SECONDS = 2.0  # then what was read is kept, though it may be little


@dataclass(slots=True, kw_only=True)
class ReadBatch:
    """Documents for one transaction. `origins` names the file of each document."""

    documents: list[RedactedDocument] = field(default_factory=list, repr=False)
    origins: list[FoundFile] = field(default_factory=list, repr=False)
    finished: dict[FoundFile, FileStamp] = field(default_factory=dict, repr=False)
    skipped: dict[FoundFile, SkipReason] = field(default_factory=dict, repr=False)
    # those of `finished` of which something is to be told or done when they are kept
    read: dict[FoundFile, ReadFile] = field(default_factory=dict, repr=False)
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
    return FileStamp(mtime_ns, size, RULES_VERSION)


def read_batches(
    source: Source,
    files: Iterable[FoundFile],
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[ReadBatch]:
    """Read files in order. A file is `finished` in the batch that holds its last document.

    Args:
        stopped: asked before each file and each batch; then the last batch is what was read so
            far, and a file that was being read is not finished.
    """
    batch, begun = ReadBatch(), time.monotonic()
    for file in files:
        if stopped():
            break
        full = batch.documents and not batch.has_room_for(file.size)
        if full or (time.monotonic() - begun > BATCH_SECONDS and batch):
            yield batch
            batch, begun = ReadBatch(), time.monotonic()
        try:
            content = source.read(file)
            if isinstance(content, SkipReason):
                batch.skipped[file] = content
                continue
            for document in content.documents:
                if batch.documents and not batch.has_room_for(len(document.text)):
                    yield batch
                    batch = ReadBatch()
                    if stopped():
                        return
                batch.add(redact(document), file)
        except ExtractionFailed as failed:
            batch.skipped[file] = failed.reason
            continue
        except Exception as error:  # one bad file costs one file, whatever is wrong with it
            log.error("a file could not be read (%s)", type(error).__name__)
            batch.skipped[file] = SkipReason.UNREADABLE
            continue
        batch.finished[file] = stamp_of(content.size, content.mtime_ns)
        if content.left_out or content.when_kept is not None:
            batch.read[file] = content
    if batch:
        yield batch
