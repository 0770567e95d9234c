"""Sources of kind `mail`: what the user sent, from mbox files, Maildirs and `.eml` files.

A message is a document of its own, named by its Message-ID, so that it stays the same when the file
around it grows or is renamed. What others wrote comes in only as what the user answers.
"""

import contextlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from daemon.collecting.folder_source import FolderSource
from daemon.collecting.mail_answers import Answers
from daemon.collecting.mail_files import (
    MBOX,
    is_unwanted,
    item_base,
    kind_of,
    name_of_message,
    places_of_message,
)
from daemon.collecting.mail_growth import Seen, begin_of_new, seen_to
from daemon.collecting.mail_index import head_at, heads_in
from daemon.collecting.marker import is_marked_off
from daemon.collecting.reading import open_regular, reason_of, state_of
from daemon.collecting.selection import Rule, Selection, Verdict
from daemon.collecting.skipping import SkipReason
from daemon.collecting.source import FoundFile, ReadFile, kept_path
from daemon.errors import MailWithoutAddress
from daemon.extracting.errors import ExtractionFailed
from daemon.extracting.extracted import Extracted
from daemon.extracting.mail_heads import addresses_pattern
from daemon.extracting.mbox import Stretch, is_mbox
from storage.records import CollectedDocument, SourceSettings

EVERYTHING = ("*",)  # what mail is, its names and first bytes say
PIECE_BYTES = 8 << 20  # of an mbox, read in one go
GAP_BYTES = 256 << 10  # of other people's messages in a piece
MOST_FAILED = 20  # messages of one file that break the child
LEFT_OUT = "left_out"  # in `about`: the counts of what was left out, and no text
REASONS = {
    "too_large": SkipReason.TOO_LARGE,
    "damaged": SkipReason.DAMAGED,
    "deleted": SkipReason.DELETED,
    "no_own_words": SkipReason.NO_TEXT,
}


class MailSelection(Selection):
    """As in a folder, but folders may hide as in Maildir++, and only mail counts.

    `named`: the user named one file, which counts whatever it is called.
    """

    named = False

    def of_name(self, relative: str) -> Verdict:
        verdict = super().of_name(relative)
        if verdict.wanted and not self.named:
            wanted = kind_of(relative) is not None and not is_unwanted(relative)
            return verdict if wanted else Verdict(wanted=False, rule=Rule.NOT_INCLUDED)
        return verdict

    def of_folder(self, relative: str) -> Verdict:
        verdict = super().of_folder(relative)
        if verdict.wanted and is_unwanted(relative):
            return Verdict(wanted=False, rule=Rule.NOT_INCLUDED)
        return verdict

    def _is_hidden(self, relative: str, *, is_folder: bool) -> bool:
        name = relative.rpartition("/")[2]
        return name.startswith(".") and (not is_folder or name in (".git", ".notmuch"))


@dataclass(slots=True, kw_only=True)
class _Reading:
    """An open file, on its way to documents."""

    file: FoundFile
    status: os.stat_result
    opened: BinaryIO
    left_out: Counter[SkipReason] = field(default_factory=Counter)
    failed: int = 0
    seen: Seen | None = None


def _never() -> bool:
    return False


class MailSource(FolderSource):
    """See `source.Source`. Raises MailWithoutAddress where no address of the user is known."""

    stopped: Callable[[], bool] = staticmethod(_never)  # see `source.Stoppable`

    def _settle_in(self) -> None:
        if not any("@" in one for one in self.settings.me):
            raise MailWithoutAddress
        self._me = addresses_pattern(self.settings.me)
        self._seen: dict[str, Seen] = {}
        self._counts: dict[str, Counter[SkipReason]] = {}
        self._answers: Answers | None = None
        super()._settle_in()

    def _select(self) -> Selection:
        given = self.settings
        if given.include == SourceSettings.__dataclass_fields__["include"].default:
            self.settings = replace(given, include=EVERYTHING)
        selection = MailSelection(
            include=self.settings.include if self.only is None else EVERYTHING,
            exclude=self.settings.exclude,
            everywhere=self._exclusions,
            place=str(self.folder),
            word=self._ignores.word,
        )
        selection.named = self.only is not None
        return selection

    def read(self, file: FoundFile) -> ReadFile | SkipReason:
        if self._extractor is None:
            return SkipReason.UNKNOWN_FORMAT
        if file.size == 0:
            return SkipReason.EMPTY
        descriptor = self._files.open(file.path)
        if isinstance(descriptor, SkipReason):
            return descriptor
        opened = os.fdopen(descriptor, "rb", buffering=0)
        try:
            status = os.fstat(descriptor)
            reading = _Reading(file=file, status=status, opened=opened)
            is_file_of_many = self._kind_of(file.path) == MBOX
            if is_file_of_many and not is_mbox(opened.read(PIECE_BYTES // 1024) or b""):
                opened.close()
                return SkipReason.UNKNOWN_FORMAT
        except OSError as error:
            opened.close()
            return reason_of(error)
        return ReadFile(
            documents=self._documents(reading, many=is_file_of_many),
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            left_out=reading.left_out,
            when_kept=lambda: self._remember(reading),
        )

    def _kind_of(self, path: str) -> str | None:
        return kind_of(path, named=self.only is not None)

    def _remember(self, reading: _Reading) -> None:
        """What was read is kept: next time, only what is added has to be read."""
        if reading.seen is not None:
            self._seen[reading.file.path] = reading.seen
            self._counts[reading.file.path] = Counter(reading.left_out)

    # ----------------------------------------------------------------------- from file to documents

    def _documents(self, reading: _Reading, *, many: bool) -> Iterator[CollectedDocument]:
        known: set[str] = set()  # of two copies in one file, the first counts
        with reading.opened:
            for letters in self._pieces_of_mbox(reading) if many else self._single(reading):
                if state_of(os.fstat(reading.opened.fileno())) != state_of(reading.status):
                    raise ExtractionFailed(SkipReason.CHANGING)
                sent = list(self._without_counts(letters, reading))
                new = [one for one in sent if one.path_suffix not in known]
                known.update(one.path_suffix for one in new)
                for letter in self._paired(new):
                    document = self._document(letter, reading)
                    if not self.too_old(document.modified_at) and not is_marked_off(letter.text):
                        yield document

    def _pieces_of_mbox(self, reading: _Reading) -> Iterator[list[Extracted]]:
        """The user's messages in stretches of some megabytes; the file is never read as a whole."""
        opened, size, path = reading.opened, reading.status.st_size, reading.file.path
        begin = begin_of_new(opened, size, reading.status.st_mtime_ns, self._seen.get(path))
        if begin:
            reading.left_out.update(self._counts.get(path, {}))
        piece: list[Stretch] = []
        for stretch, head in heads_in(opened, self._me, start=begin, end=size):
            self._go_on()
            if not head.mine:
                continue
            if piece and (
                stretch.end - piece[0].start > PIECE_BYTES
                or stretch.start - piece[-1].end > GAP_BYTES
            ):
                yield self._letters_in(piece, reading)
                piece = []
            piece.append(stretch)
        if piece:
            yield self._letters_in(piece, reading)
        reading.seen = seen_to(opened, size, reading.status.st_mtime_ns)

    def _go_on(self) -> None:
        """A file that was given up is one that was not read: it is not noted in any way."""
        if self.stopped():
            raise ExtractionFailed(SkipReason.VANISHED)

    def _single(self, reading: _Reading) -> Iterator[list[Extracted]]:
        size = reading.status.st_size
        if head_at(reading.opened, self._me, start=0, size=size).mine:
            yield self._extracted(reading, "eml", start=0, size=size)

    def _letters_in(self, piece: list[Stretch], reading: _Reading) -> list[Extracted]:
        """A message that breaks the child costs itself: it is looked for by halves."""
        try:
            start, end = piece[0].start, min(piece[-1].end, piece[-1].start + PIECE_BYTES)
            return self._extracted(reading, "mbox", start=start, size=end - start)
        except ExtractionFailed as failed:
            if len(piece) > 1:
                half = len(piece) // 2
                parts = (self._letters_in(part, reading) for part in (piece[:half], piece[half:]))
                return [letter for letters in parts for letter in letters]
            reading.failed += 1
            if reading.failed > MOST_FAILED:
                raise
            reading.left_out[failed.reason] += 1
            return []

    def _extracted(
        self, reading: _Reading, format: str, *, start: int, size: int
    ) -> list[Extracted]:
        assert self._extractor is not None
        reading.opened.seek(start)
        letters = self._extractor.documents(
            reading.opened.fileno(),
            format=format,
            source=self.settings,
            path=reading.file.path,
            size=size,
            most_bytes=self._most_bytes,
        )
        return list(letters)

    def _without_counts(self, letters: list[Extracted], reading: _Reading) -> Iterator[Extracted]:
        for letter in letters:
            if LEFT_OUT not in letter.about:
                yield letter
                continue
            for name, count in letter.about.items():
                if name != LEFT_OUT and count.isdecimal() and len(count) < 10:
                    reading.left_out[REASONS.get(name, SkipReason.AUTOMATIC)] += int(count)

    def _document(self, letter: Extracted, reading: _Reading) -> CollectedDocument:
        at = letter.modified_at
        return CollectedDocument(
            source=self.settings.name,
            path=kept_path(f"{item_base(reading.file.path)}#{letter.path_suffix}"),
            modified_at=reading.status.st_mtime_ns / 1e9 if at is None else at,
            text=letter.text,
            turns=letter.turns,
            own=self.settings.own,
            about=letter.about,
        )

    # ----------------------------------------------------------------------- what is answered

    def _paired(self, letters: list[Extracted]) -> list[Extracted]:
        if not letters:
            return []
        if self._answers is None:
            assert self._extractor is not None
            self._answers = Answers(
                self.settings,
                self._extractor,
                me=self._me,
                files=lambda: (find for find in self.scan() if isinstance(find, FoundFile)),
                open_file=self._opened,
                kind_of=self._kind_of,
                go_on=self._go_on,
            )
        return self._answers.paired(letters)

    @contextlib.contextmanager
    def _opened(self, path: str) -> Iterator[BinaryIO | None]:
        """A file of the source, also when it has new flags by now; None if it is gone."""
        descriptor = open_regular(self.folder, path, open_file=self._open_file)
        if descriptor is SkipReason.VANISHED and (renamed := self._renamed(path)):
            descriptor = open_regular(self.folder, renamed, open_file=self._open_file)
        if isinstance(descriptor, SkipReason):
            yield None
            return
        with os.fdopen(descriptor, "rb", buffering=0) as opened:
            yield opened if stat.S_ISREG(os.fstat(descriptor).st_mode) else None

    def _renamed(self, path: str) -> str | None:
        for folder, unique in places_of_message(path):
            with contextlib.suppress(OSError), os.scandir(self.folder / folder) as entries:
                for entry in entries:
                    if name_of_message(entry.name) == unique:
                        return f"{folder}/{entry.name}" if folder else entry.name
        return None
