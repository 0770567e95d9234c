"""`.nightloomignore`: what a folder says is not to be collected, in the syntax of `.gitignore`.

As git does it: the file in the deepest folder decides first, in each file the last pattern that
fits, `!` takes a file back in, and nothing comes back from a folder that is left out. A file that
cannot be read leaves its folder undecided, and what is undecided is not collected.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from daemon.collecting.reading import Opener, read_file
from daemon.collecting.skipping import SkipReason

IGNORE_FILE = ".nightloomignore"
MOST_BYTES = 64 * 1024
MOST_LINES = 2_000
_SLASH = "ps_d"  # the group of the slash behind a folder in the library's expressions
MOST_STARS = 3  # in a name; each multiplies the time that a hostile name takes


class Word(Enum):
    """What the files on the way to a path say about it."""

    NOTHING = "nothing"
    IGNORE = "ignore"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """The ignore file of one folder; no spec where there is none, or where it is unreadable."""

    spec: GitIgnoreSpec | None = field(default=None, repr=False)
    unreadable: bool = False
    digest: bytes = b""


_NONE = _Folder()
_UNREADABLE = _Folder(unreadable=True, digest=b"?")


class IgnoreFiles:
    """Those of one source, each read when it is asked for first."""

    def __init__(self, root: Path, open_file: Opener) -> None:
        self._root = root
        self._open_file = open_file
        self._known: dict[str, _Folder] = {}
        self._silent: dict[str, bool] = {}  # folders in and above which no file says anything

    def again(self) -> None:
        """Read them anew when they are asked for next."""
        self._known = {}
        self._silent = {}

    def word(self, path: str, *, is_folder: bool) -> Word:
        """About `path`, relative to the source, in a folder that is not left out itself."""
        if self._is_silent(path.rpartition("/")[0]):
            return Word.NOTHING
        name = path + "/" if is_folder else path
        undecided = False
        for folder in _folders_above(path):
            rules = self._rules(folder)
            undecided = undecided or rules.unreadable
            if rules.spec is None or undecided:
                continue
            said = _decision(rules.spec, name[len(folder) + 1 :] if folder else name)
            if said is not None:
                return Word.IGNORE if said else Word.NOTHING
        return Word.UNDECIDED if undecided else Word.NOTHING

    def digest(self) -> bytes:
        """Another one when a file that was asked for is another one; empty where there are none."""
        found = sorted((name, one.digest) for name, one in list(self._known.items()) if one.digest)
        if not found:
            return b""
        return hashlib.sha256(repr(found).encode("utf-8", "surrogatepass")).digest()

    def _is_silent(self, folder: str) -> bool:
        known = self._silent.get(folder)
        if known is None:
            here = (folder, *_folders_above(folder))
            known = self._silent[folder] = all(self._rules(one) is _NONE for one in here)
        return known

    def _rules(self, folder: str) -> _Folder:
        known = self._known.get(folder)
        if known is None:
            known = self._known[folder] = self._read(folder)
        return known

    def _read(self, folder: str) -> _Folder:
        path = f"{folder}/{IGNORE_FILE}" if folder else IGNORE_FILE
        content = read_file(self._root, path, most_bytes=MOST_BYTES, open_file=self._open_file)
        if content is SkipReason.VANISHED:
            return _NONE
        if isinstance(content, SkipReason):
            return _UNREADABLE
        try:
            spec = parse_ignore_file(content.data.decode("utf-8-sig"))
        except ValueError:
            return _UNREADABLE
        return _Folder(spec=spec, digest=hashlib.sha256(content.data).digest())


def is_ignore_file(path: str) -> bool:
    return path.rpartition("/")[2] == IGNORE_FILE


def _folders_above(path: str) -> Iterator[str]:
    """From the nearest to the source itself, which is empty."""
    folder = path
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder


def parse_ignore_file(text: str) -> GitIgnoreSpec:
    """Lines that git would not understand are left out, as git does. Pure.

    Raises:
        ValueError: it is too long, or a pattern has more stars than is good.
    """
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        raise ValueError("too many lines")
    patterns = []
    for line in lines:
        if any(part.count("*") > MOST_STARS for part in line.split("/")) or (
            line.count("**") > MOST_STARS
        ):
            raise ValueError("too many stars")
        try:
            patterns.append(GitIgnoreSpecPattern(line))
        except GitIgnorePatternError:
            continue
    return GitIgnoreSpec(patterns)


def _decision(spec: GitIgnoreSpec, name: str) -> bool | None:
    """Of the last pattern that fits `name` itself; None where none does.

    The library's patterns fit what is below a folder too, and mark the slash behind the folder.
    Folders were decided before this, and one that is taken back in says nothing of its files.
    """
    for pattern in reversed(list(spec.patterns)):
        if (
            isinstance(pattern, GitIgnoreSpecPattern)
            and pattern.regex is not None
            and _fits(pattern.regex, name)
        ):
            return bool(pattern.include)
    return None


def _fits(pattern: "re.Pattern[str]", name: str) -> bool:
    if _SLASH not in pattern.groupindex:  # such as `foo/**`, which is not about `foo` itself
        return pattern.search(name.rstrip("/")) is not None
    return any(found.end(_SLASH) in (-1, len(name)) for found in pattern.finditer(name))
