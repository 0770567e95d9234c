"""Whether a file would be collected, and what would be redacted in it: the collector's own rules.

The source's kind decides, with the functions that collecting itself calls, so a rule that is new
there counts here as well. Nothing is kept. Knows nothing of the service.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from daemon.collecting.decoding import decode
from daemon.collecting.file_place import place_of
from daemon.collecting.folder_reading import FolderReading
from daemon.collecting.folder_source import FolderSource
from daemon.collecting.kinds import make_source
from daemon.collecting.marker import is_marked_off
from daemon.collecting.reading import Below
from daemon.collecting.redaction import redact
from daemon.collecting.skipping import Skipped, SkipReason
from daemon.collecting.source import FoundFile
from daemon.errors import SourceError
from daemon.extracting.errors import ExtractionFailed
from daemon.extracting.extractor import Extractor
from storage.records import CollectedDocument, RedactedDocument, Redaction, SourceSettings
from trainer.judged_text import judged
from trainer.quality import reason_against

Json = dict[str, Any]

NO_SOURCE, OWN_FOLDER, PAUSED, MISSING = "no_source", "own_folder", "paused", "missing"
FORGOTTEN, WANTED, NOT_RUNNING = "forgotten", "wanted", "not_running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of a file."""

    reason: str  # "wanted", or the rule that says no
    source: str | None
    path: str | None = field(default=None, repr=False)  # relative to the source
    glob: str | None = field(default=None, repr=False)  # that decided, if one did
    read: tuple[CollectedDocument, ...] = field(default=(), repr=False)
    redacted: tuple[RedactedDocument, ...] = field(default=(), repr=False)

    @property
    def wanted(self) -> bool:
        return self.reason == WANTED

    @property
    def redactions(self) -> list[tuple[int, Redaction]]:
        """Number of the document in the file, and the place in its text before redaction."""
        return [
            (number, redaction)
            for number, document in enumerate(self.redacted)
            for redaction in document.redactions
        ]

    @property
    def left_out(self) -> dict[str, int]:
        """Rules that would leave documents of the file out at night, and how many each.

        What is so only beside other documents, copies and boilerplate, is not known here.
        """
        reasons = (
            reason_against(judged(one.text, own=one.own, turns=one.turns, about=one.about))
            for one in self.redacted
        )
        return dict(Counter(reason for reason in reasons if reason is not None).most_common())


def source_of(file: Path, sources: Iterable[SourceSettings]) -> tuple[SourceSettings, str] | None:
    """The source that a file lies in, and its path there.

    As it is named first, so that a link on the way is met as the collector meets it.
    """
    known = list(sources)
    named = Path(os.path.abspath(file))  # noqa: PTH100 - `..` goes, and no link is followed
    for place in (named, named.parent.resolve() / named.name):
        for source in known:
            if relative := place_of(source).relative(place):
                return source, relative
    return None


def try_file(
    file: Path,
    sources: Sequence[SourceSettings],
    *,
    own_folders: Iterable[Path],
    most_bytes: int,
    exclusions: Sequence[str],
    states: Mapping[str, str],
) -> Trial:
    """What the collector would do with a file.

    Args:
        exclusions: globs for all sources.
        states: of the sources, by name, as `nightloom privacy sources list` says.
    """
    here = file.parent.resolve()
    if any(here.is_relative_to(own.resolve()) for own in own_folders):
        return Trial(reason=OWN_FOLDER, source=None)
    found = source_of(file, sources)
    if found is None:
        return Trial(reason=NO_SOURCE, source=None)
    settings, path = found
    with closing(Extractor()) as extractor:  # of this process: the service's is not asked
        trial = _tried(settings, path, most_bytes, exclusions, extractor)
    state = states.get(settings.name)
    if trial.wanted and state in (PAUSED, MISSING):
        return replace(trial, reason=state)
    return trial


def try_text(data: bytes) -> Trial:
    """The same for text that stands in no file."""
    content = decode(data)
    if isinstance(content, SkipReason):
        return Trial(reason=str(content), source=None)
    if is_marked_off(content):
        return Trial(reason=str(SkipReason.MARKED), source=None)
    document = CollectedDocument(source="", path="", modified_at=0.0, text=content)
    return Trial(reason=WANTED, source=None, read=(document,), redacted=(redact(document),))


def try_alone(file: Path, *, most_bytes: int) -> Trial:
    """The same for a file of which nobody can say whether it lies in a source.

    Raises OSError: it is not there.
    """
    place = file.resolve()
    status = place.stat()
    with closing(Extractor()) as extractor:
        content = FolderReading(
            files=Below(place.parent),
            settings=SourceSettings(name="", kind="folder", path=str(place.parent)),
            most_bytes=most_bytes,
            extractor=extractor,
        ).read(
            FoundFile(
                path=place.name,
                size=status.st_size,
                mtime_ns=status.st_mtime_ns,
                ctime_ns=status.st_ctime_ns,
            )
        )
    if isinstance(content, SkipReason):
        return Trial(reason=str(content), source=None)
    read = tuple(content.documents)
    return Trial(reason=WANTED, source=None, read=read, redacted=tuple(map(redact, read)))


def settings_in(answers: Iterable[Json]) -> list[SourceSettings]:
    """From what the service says of its sources; what this version does not know is left alone."""
    known = {each.name for each in fields(SourceSettings)}
    found = []
    for answer in answers:
        told: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in answer.items()
            if name in known
        }
        found.append(SourceSettings(**told))
    return found


def _tried(
    settings: SourceSettings,
    path: str,
    most_bytes: int,
    exclusions: Sequence[str],
    extractor: Extractor,
) -> Trial:
    no = Trial(reason="unsupported_kind", source=settings.name, path=path)
    try:
        source = make_source(
            settings, most_bytes=most_bytes, exclusions=exclusions, extractor=extractor
        )
    except SourceError:
        return no
    if isinstance(source, FolderSource):
        no = replace(no, glob=source.verdict(path).glob)
    finds = list(source.scan(path))
    found = next((one for one in finds if one.path == path or isinstance(one, Skipped)), None)
    if found is None:
        return replace(no, reason=str(SkipReason.NOT_REGULAR))  # a folder
    if isinstance(found, Skipped):
        return replace(no, reason=str(found.reason))
    content = source.read(found)
    if isinstance(content, SkipReason):
        return replace(no, reason=str(content))
    try:
        read = tuple(content.documents)
    except ExtractionFailed as failed:
        return replace(no, reason=str(failed.reason))
    redacted = tuple(redact(document) for document in read)
    return replace(no, reason=WANTED, read=read, redacted=redacted)
