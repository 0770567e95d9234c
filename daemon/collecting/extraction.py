"""One file through the extractor: opened here without following links, its documents as they come.

What kinds of sources call for whatever is not plain text. Knows nothing of formats.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from daemon.collecting.reading import Opener, open_regular, reason_of, state_of
from daemon.collecting.skipping import SkipReason
from daemon.collecting.source import FoundFile, ReadFile, kept_path
from daemon.extracting.errors import ExtractionFailed
from daemon.extracting.extracted import Extracted
from daemon.extracting.extractor import Extractor
from storage.records import CollectedDocument, SourceSettings


def extract_file(
    extractor: Extractor,
    root: Path,
    file: FoundFile,
    *,
    format: str,
    settings: SourceSettings,
    most_bytes: int,
    most_document_bytes: int | None = None,
    open_file: Opener = os.open,
) -> ReadFile | SkipReason:
    """The documents in a file below `root`, or why there is none.

    The first document is made at once, so that a file that gives nothing says so here; what goes
    wrong later is raised by the iterator as `ExtractionFailed`, CHANGING where the file was written
    to meanwhile. Dropping the iterator ends the work. Whether a text says `nightloom: off` is the
    caller's to look for.

    Args:
        format: of `daemon.extracting.formats`.
        most_bytes: of the file.
        most_document_bytes: of the text of one document; `most_bytes` if it is not given.
    """
    descriptor = open_regular(root, file.path, open_file=open_file)
    if isinstance(descriptor, SkipReason):
        return descriptor
    try:
        before = os.fstat(descriptor)
    except OSError as error:
        os.close(descriptor)
        return reason_of(error)
    if before.st_size > most_bytes:
        os.close(descriptor)
        return SkipReason.TOO_LARGE
    found = _extracted(
        extractor,
        descriptor,
        before,
        format=format,
        settings=settings,
        path=file.path,
        most_document_bytes=most_document_bytes or most_bytes,
    )
    documents = (_document(one, file.path, settings, before) for one in found)
    try:
        first = list(islice(documents, 1))
    except ExtractionFailed as failed:
        return failed.reason
    return ReadFile(
        documents=_one_after_the_other(first, documents),
        size=before.st_size,
        mtime_ns=before.st_mtime_ns,
    )


def _extracted(
    extractor: Extractor,
    descriptor: int,
    before: os.stat_result,
    *,
    format: str,
    settings: SourceSettings,
    path: str,
    most_document_bytes: int,
) -> Iterator[Extracted]:
    """Owns the descriptor from its first step on."""
    try:
        yield from extractor.documents(
            descriptor,
            format=format,
            source=settings,
            path=path,
            size=before.st_size,
            most_bytes=most_document_bytes,
        )
        if state_of(os.fstat(descriptor)) != state_of(before):
            raise ExtractionFailed(SkipReason.CHANGING)
    finally:
        os.close(descriptor)


def _document(
    one: Extracted, path: str, settings: SourceSettings, before: os.stat_result
) -> CollectedDocument:
    name = f"{path}#{one.path_suffix}" if one.path_suffix else path
    modified_at = before.st_mtime_ns / 1e9 if one.modified_at is None else one.modified_at
    return CollectedDocument(
        source=settings.name,
        path=kept_path(name),
        modified_at=modified_at,
        text=one.text,
        turns=one.turns,
        own=settings.own,
        about=one.about,
    )


def _one_after_the_other(
    first: Iterable[CollectedDocument], rest: Iterable[CollectedDocument]
) -> Iterator[CollectedDocument]:
    yield from first
    yield from rest
