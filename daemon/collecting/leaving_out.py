"""What one source left out, and why: counts by reason, and the names of what failed.

A look at everything counts anew; one that was broken off leaves what it did not come to as it was.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain, islice

from daemon.collecting.batching import stamp_of
from daemon.collecting.skipping import Skipped, SkipReason
from daemon.collecting.source import FoundFile
from daemon.collecting.store import FileStamp

MOST_PLACES = 1_000  # folders that could not be read, of which the names are known

# What somebody may want to mend: named on request, and tried again when the file changes.
FAILURES = frozenset(
    {
        SkipReason.UNREADABLE,
        SkipReason.TOO_LARGE,
        SkipReason.ENCRYPTED,
        SkipReason.NO_TEXT,
        SkipReason.DAMAGED,
        SkipReason.BOMB,
        SkipReason.TOO_SLOW,
        SkipReason.TOO_HUNGRY,
        SkipReason.UNKNOWN_FORMAT,
    }
)
# Reasons that lie in a file; noted with its stamp, so that it is not read in vain again.
OF_CONTENT = FAILURES | {
    SkipReason.EMPTY,
    SkipReason.MARKED,
    SkipReason.BINARY,
    SkipReason.NOT_REGULAR,
    SkipReason.SYMLINK,
    SkipReason.NOT_NAMED,
}

_Files = dict[str, tuple[FileStamp, SkipReason]]


class LeftOut:
    """Used by one task at a time. A file is `in` it while it is left out for what lies in it."""

    def __init__(self) -> None:
        self._files: _Files = {}
        self._before: _Files = {}  # at the beginning of the look at everything
        self._places: Counter[SkipReason] = Counter()  # of the last such look that came to its end
        self._met: Counter[SkipReason] = Counter()  # of the one that goes on
        self._failed: list[Skipped] = []
        self._failed_before: list[Skipped] = []
        self._inside: dict[str, Counter[SkipReason]] = {}  # by file, of its documents

    def __contains__(self, path: str) -> bool:
        return path in self._files

    @property
    def counts(self) -> Counter[SkipReason]:
        found = Counter(reason for _, reason in self._files.values())
        for some in (self._places, *self._inside.values()):
            found += some
        return found

    @property
    def met(self) -> int:
        """Files and places that the last look at everything left out."""
        return self._met.total() + len(self._files)

    def failed(self, most: int) -> list[Skipped]:
        """Files and folders that could not be read, and why; no more than `most`."""
        files = (
            Skipped(path=path, reason=reason)
            for path, (_, reason) in self._files.items()
            if reason in FAILURES
        )
        return list(islice(chain(self._failed, files), most))

    # ----------------------------------------------------------------------- a look at everything

    def begin(self) -> None:
        self._before, self._files = self._files, {}
        self._failed_before, self._failed = self._failed, []
        self._met = Counter()

    def end(self, *, whole: bool) -> None:
        if whole:
            self._places = self._met
        else:
            self._files = self._before | self._files
            self._failed = self._failed or self._failed_before
        self._before, self._failed_before = {}, []

    def still(self, file: FoundFile) -> bool:
        """Whether a file's content was of no use and has not changed since: it is not read."""
        known = self._before.get(file.path)
        if known is None or known[0] != stamp_of(file.size, file.mtime_ns):
            return False
        if known[1] is SkipReason.UNREADABLE:
            return False  # a permission can be given without a change of the file
        self._files[file.path] = known
        return True

    # ----------------------------------------------------------------------- any look

    def sort_out(self, finds: Iterable[FoundFile | Skipped], *, scanning: bool) -> list[FoundFile]:
        """The files among the finds; the others are left out, and count in a look at everything."""
        files: list[FoundFile] = []
        for find in finds:
            if isinstance(find, FoundFile):
                files.append(find)
                continue
            if scanning:
                self._met[find.reason] += 1
            if find.reason is SkipReason.UNREADABLE and len(self._failed) < MOST_PLACES:
                self._failed.append(find)
        return files

    def add(self, file: FoundFile, reason: SkipReason) -> None:
        if reason in OF_CONTENT:
            self._files[file.path] = (stamp_of(file.size, file.mtime_ns), reason)

    def add_inside(self, file: FoundFile, counts: Mapping[SkipReason, int]) -> None:
        """Of the documents in a file, in place of what was said of them before."""
        if counts:
            self._inside[file.path] = Counter(counts)
        else:
            self._inside.pop(file.path, None)

    def drop(self, path: str) -> None:
        """The file is looked at again."""
        self._files.pop(path, None)
