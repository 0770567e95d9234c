"""Which files of a folder are wanted: globs on relative paths. Pure; no file is looked at.

A glob without a slash is compared with the name at any depth, one with a slash with the whole
relative path; `**` stands for any number of folders. An exclude that fits a folder leaves out all
that is in it. Capitals make no difference. Hidden names (`.git`, `.obsidian`) are always left out.
Of the globs for all sources, one that begins with a slash is compared with the path from the root.
"""

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from operator import methodcaller

from daemon.collecting.ignoring import Word
from daemon.collecting.program_files import is_of_a_program


class Rule(StrEnum):
    """What decided about a path."""

    INCLUDED = "included"
    NOT_INCLUDED = "not_included"
    EXCLUDED = "excluded"
    IGNORED = "ignored"  # by an ignore file in the source
    UNDECIDED = "undecided"  # an ignore file cannot be read
    HIDDEN = "hidden"
    OF_A_PROGRAM = "of_a_program"  # its settings, templates, bin, lock files


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a path is wanted, by which rule, and the glob that fitted, if one did."""

    wanted: bool
    rule: Rule
    glob: str | None = field(default=None, repr=False)


_HIDDEN = Verdict(wanted=False, rule=Rule.HIDDEN)
_NOT_INCLUDED = Verdict(wanted=False, rule=Rule.NOT_INCLUDED)
_OF_A_PROGRAM = Verdict(wanted=False, rule=Rule.OF_A_PROGRAM)
_FOLDER = Verdict(wanted=True, rule=Rule.INCLUDED)


_IGNORED = Verdict(wanted=False, rule=Rule.IGNORED)
_UNDECIDED = Verdict(wanted=False, rule=Rule.UNDECIDED)
_WORDS = {Word.IGNORE: _IGNORED, Word.UNDECIDED: _UNDECIDED}


_SPECIAL = re.compile(r"[*?\[]")


def _nothing(path: str, *, is_folder: bool) -> Word:
    return Word.NOTHING


class Selection:
    """The one place where it is decided which paths are wanted.

    Args:
        include, exclude: of the source.
        everywhere: excludes for all sources.
        place: where the source is, absolute.
        word: what the source's ignore files say of a path.
        of_a_program: whether a path is what a program keeps for itself.
    """

    def __init__(
        self,
        *,
        include: Sequence[str],
        exclude: Sequence[str] = (),
        everywhere: Sequence[str] = (),
        place: str = "",
        word: Callable[..., Word] = _nothing,
        of_a_program: Callable[..., bool] = is_of_a_program,
    ) -> None:
        self._include = [_Glob(glob) for glob in include]
        relative = [glob for glob in everywhere if not glob.startswith("/")]
        self._exclude = [_Glob(glob) for glob in (*exclude, *relative)]
        self._absolute = [_Glob(glob) for glob in everywhere if glob.startswith("/")]
        self._place = place.strip("/")
        self._word = word
        self._of_a_program = of_a_program
        self._source = self._of_source()

    def of_file(self, relative: str) -> Verdict:
        """The verdict on a file, its folders included. `relative` has forward slashes."""
        folder = self.of_way(relative.rpartition("/")[0])
        return self.of_name(relative) if folder.wanted else folder

    def of_way(self, relative: str) -> Verdict:
        """The verdict on a folder, those above it included; empty is the source itself."""
        if not self._source.wanted:
            return self._source
        parts = relative.split("/") if relative else []
        for depth in range(1, len(parts) + 1):
            folder = self.of_folder("/".join(parts[:depth]))
            if not folder.wanted:
                return folder
        return _FOLDER

    def of_name(self, relative: str) -> Verdict:
        """The verdict on a file in a folder that is wanted."""
        folded = _folded(relative)
        left_out = self._left_out(relative, folded, is_folder=False)
        if not left_out.wanted:
            return left_out
        for glob in self._include:
            if glob.fits(*folded):
                return glob.included
        return _NOT_INCLUDED

    def of_folder(self, relative: str) -> Verdict:
        """The verdict on a folder in a folder that is wanted."""
        return self._left_out(relative, _folded(relative), is_folder=True)

    def _left_out(self, relative: str, folded: tuple[str, str], *, is_folder: bool) -> Verdict:
        if self._is_hidden(relative, is_folder=is_folder):
            return _HIDDEN
        if self._of_a_program(relative, is_folder=is_folder):
            return _OF_A_PROGRAM
        for glob in self._exclude:
            if glob.fits(*folded):
                return glob.excluded
        for glob in self._absolute:
            if glob.fits(*_folded(f"{self._place}/{relative}")):
                return glob.excluded
        word = self._word(relative, is_folder=is_folder)
        return _FOLDER if word is Word.NOTHING else _WORDS[word]

    def _is_hidden(self, relative: str, *, is_folder: bool) -> bool:
        return relative.rpartition("/")[2].startswith(".")

    def _of_source(self) -> Verdict:
        """Whether the source as a whole lies in something that is left out."""
        parts = self._place.split("/")
        for depth in range(1, len(parts) + 1):
            for glob in self._absolute:
                if glob.fits(*_folded("/".join(parts[:depth]))):
                    return glob.excluded
        return _FOLDER


def _folded(path: str) -> tuple[str, str]:
    """The path and the name at its end, in which capitals make no difference."""
    folded = path.casefold()
    return folded, folded.rpartition("/")[2]


class _Glob:
    """One glob, as one compiled expression per part of the path; None stands for `**`."""

    __slots__ = ("_anchored", "_parts", "excluded", "included")

    def __init__(self, text: str) -> None:
        self.included = Verdict(wanted=True, rule=Rule.INCLUDED, glob=text)
        self.excluded = Verdict(wanted=False, rule=Rule.EXCLUDED, glob=text)
        trimmed = text.casefold().rstrip("/")
        self._anchored = "/" in trimmed
        parts = [part for part in trimmed.split("/") if part]
        if parts and parts[-1] == "**" and len(parts) > 1:
            parts.pop()  # `drafts/**` leaves out the folder `drafts` itself too
        self._parts = [None if part == "**" else _compiled(part) for part in parts]

    def fits(self, path: str, name: str) -> bool:
        """Of a path and its name, both folded."""
        if not self._anchored:
            return bool(self._parts) and (self._parts[0] is None or bool(self._parts[0](name)))
        return self._fits_parts(path.split("/"))

    def _fits_parts(self, names: list[str]) -> bool:
        """Row by row as in an edit distance, so that many `**` cost no more than their number."""
        reached = [True] + [False] * len(names)  # reached[n]: what was read so far fits n names
        for part in self._parts:
            if part is None:
                first = reached.index(True) if True in reached else len(reached)
                reached = [n >= first for n in range(len(reached))]
            else:
                fitting = (was and bool(part(name)) for was, name in zip(reached, names))
                reached = [False, *fitting]
        return reached[-1]


def _compiled(part: str) -> Callable[[str], object]:
    """fnmatch's expressions do not backtrack over stars, so hostile globs stay fast."""
    if part.startswith("*") and not _SPECIAL.search(part, 1):
        return methodcaller("endswith", part[1:])  # as most are, `*.md`
    return re.compile(fnmatch.translate(part)).match
