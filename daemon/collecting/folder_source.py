"""Sources of kind `folder`: files with text in them, in a folder and the folders below it.

Follows no links, stays on one file system, opens nothing but regular files.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from daemon.collecting.file_place import place_of
from daemon.collecting.folder_reading import FolderReading
from daemon.collecting.ignoring import IGNORE_FILE, IgnoreFiles, is_ignore_file
from daemon.collecting.program_files import ProgramFiles
from daemon.collecting.reading import Below, Opener, kind_reason, reason_of
from daemon.collecting.selection import Rule, Selection, Verdict
from daemon.collecting.skipping import Skipped, SkipReason
from daemon.collecting.source import FoundFile, ReadFile
from daemon.collecting.whereabouts import files_of
from daemon.extracting.extractor import Extractor
from storage.records import SourceSettings

REASONS = {
    Rule.HIDDEN: SkipReason.HIDDEN,
    Rule.EXCLUDED: SkipReason.EXCLUDED,
    Rule.IGNORED: SkipReason.IGNORED,
    Rule.UNDECIDED: SkipReason.UNREADABLE,
    Rule.NOT_INCLUDED: SkipReason.NOT_INCLUDED,
    Rule.OF_A_PROGRAM: SkipReason.OF_A_PROGRAM,
}
DAY_SECONDS = 86_400.0


class FolderSource:
    """See `source.Source`. What says no to a file is `verdict`, `too_old` and `read`, here alone.

    Args:
        most_bytes: of a file.
        exclusions: globs for all sources.
        extractor: reads what is not plain text; without one only plain text is read.
        open_file, now: the system's own; tests give others.
    """

    def __init__(
        self,
        settings: SourceSettings,
        *,
        most_bytes: int,
        exclusions: Sequence[str] = (),
        extractor: Extractor | None = None,
        open_file: Opener = os.open,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._exclusions = tuple(exclusions)
        self._most_bytes = most_bytes
        self._extractor = extractor
        self._open_file = open_file
        self._now = now
        self._settle_in()

    def _settle_in(self) -> None:
        """Where the source is may be another kind of place than before: a file, or a folder."""
        self._place = place_of(self.settings)
        self._ignores = IgnoreFiles(self.folder, self._open_file)
        self._programs = ProgramFiles(self.folder, self._open_file)
        self._selection = self._select()
        self._files = Below(self.folder, open_file=self._open_file)
        self._reading = FolderReading(
            files=self._files,
            settings=self.settings,
            most_bytes=self._most_bytes,
            extractor=self._extractor,
        )

    def _select(self) -> Selection:
        return Selection(
            include=self.settings.include if self._place.only is None else ("*",),
            exclude=self.settings.exclude,
            everywhere=self._exclusions,
            place=str(self.folder),
            word=self._ignores.word,
            of_a_program=self._programs.have,
        )

    @property
    def folder(self) -> Path:
        return self._place.folder

    @property
    def only(self) -> str | None:
        return self._place.only

    def check(self) -> tuple[int, int]:
        if place_of(self.settings) != self._place:
            self._settle_in()
        return self._place.identity()

    def verdict(self, path: str) -> Verdict:
        """What globs and ignore files say about a file; for `privacy test`."""
        if self.only not in (None, path):
            return Verdict(wanted=False, rule=Rule.NOT_INCLUDED)
        return self._selection.of_file(path)

    def too_old(self, modified_at: float) -> bool:
        """Whether a file that was changed then is beyond the source's retention."""
        days = self.settings.retention_days
        return days is not None and self._now() - modified_at > days * DAY_SECONDS

    def excludes(self, path: str) -> bool:
        return any(
            self.verdict(file).rule in (Rule.EXCLUDED, Rule.IGNORED) for file in files_of(path)
        )

    def exclusions(self) -> bytes:
        globs = (*self._exclusions, "", *self.settings.exclude)
        ignores = self._ignores.digest()
        return repr(globs).encode("utf-8", "surrogatepass") + ignores if any(globs) else ignores

    def concerns(self, path: str, *, is_folder: bool) -> bool:
        if self.only is not None and is_folder:
            return not path
        if is_ignore_file(path):
            return True
        verdict = self._selection.of_way(path) if is_folder else self.verdict(path)
        return verdict.wanted

    def scan(self, path: str = "") -> Iterator[FoundFile | Skipped]:
        if not path:
            self._ignores.again()
            self._programs.again()
        if self.only is not None:
            if path and path != self.only:
                return
            path = self.only
        whole = self._selection.of_way("")
        if not whole.wanted:
            yield Skipped(path="", reason=REASONS[whole.rule])
            return
        try:
            device = self.folder.lstat().st_dev
            status = (self.folder / path).lstat() if path else None
        except OSError as error:
            yield Skipped(path=path, reason=reason_of(error))
            return
        if status is None or self._is_own_folder(path):
            yield from self._scan_folder(path, device)
        else:
            yield self._found(path, status)

    def read(self, file: FoundFile) -> ReadFile | SkipReason:
        return self._reading.read(file)

    @contextmanager
    def staying(self) -> Iterator[None]:
        self._files.stay()
        try:
            yield
        finally:
            self._files.leave()

    def _is_own_folder(self, path: str) -> bool:
        """Whether `path` is a folder that is reached without following a link."""
        at = self.folder
        for name in path.split("/"):
            at /= name
            if at.is_symlink() or not at.is_dir():
                return False
        return self.concerns(path, is_folder=True)

    def _found(self, path: str, status: os.stat_result) -> FoundFile | Skipped:
        verdict = self._selection.of_file(path)
        reason = kind_reason(status.st_mode)
        if not verdict.wanted and not (reason is SkipReason.SYMLINK and _could_be_folder(verdict)):
            reason = REASONS[verdict.rule]
        return self._file(path, status) if reason is None else Skipped(path=path, reason=reason)

    def _scan_folder(self, top: str, device: int) -> Iterator[FoundFile | Skipped]:
        """Depth first with a stack of our own: no depth of folders is too deep for it."""
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            try:
                entries = self._entries(folder)
            except OSError as error:
                yield Skipped(path=folder, reason=reason_of(error))
                continue
            for name, entry in entries:
                path = f"{folder}/{name}" if folder else name
                found = self._look_at(path, entry, device)
                if isinstance(found, str):
                    waiting.append(found)
                else:
                    yield found

    def _entries(self, folder: str) -> list[tuple[str, "os.DirEntry[str]"]]:
        with os.scandir(self.folder / folder) as entries:
            named = sorted((entry.name, entry) for entry in entries)
        return [one for one in named if one[0] != IGNORE_FILE]

    def _look_at(
        self, path: str, entry: "os.DirEntry[str]", device: int
    ) -> FoundFile | Skipped | str:
        """A file, a find that is left out, or the path of a folder to go into."""
        try:
            is_folder = entry.is_dir(follow_symlinks=False)
            select = self._selection.of_folder if is_folder else self._selection.of_name
            verdict = select(path)
            if entry.is_symlink() and (verdict.wanted or _could_be_folder(verdict)):
                return Skipped(path=path, reason=SkipReason.SYMLINK)
            if not verdict.wanted:
                return Skipped(path=path, reason=REASONS[verdict.rule])
            status = entry.stat(follow_symlinks=False)
        except OSError as error:
            return Skipped(path=path, reason=reason_of(error))
        if status.st_dev != device:
            return Skipped(path=path, reason=SkipReason.OTHER_FILE_SYSTEM)
        if is_folder:
            return path
        reason = kind_reason(status.st_mode)
        return self._file(path, status) if reason is None else Skipped(path=path, reason=reason)

    def _file(self, path: str, status: os.stat_result) -> FoundFile | Skipped:
        if self.too_old(status.st_mtime):
            return Skipped(path=path, reason=SkipReason.TOO_OLD)
        return FoundFile(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _could_be_folder(verdict: Verdict) -> bool:
    """A link may stand for a folder, whose name has to fit no glob."""
    return verdict.rule is Rule.NOT_INCLUDED
