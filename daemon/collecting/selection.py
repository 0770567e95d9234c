"""Which files of a folder are wanted: globs on relative paths. Pure; no file is looked at.

A glob without a slash is compared with the name at any depth, one with a slash with the whole
relative path; `**` stands for any number of folders. An exclude that fits a folder leaves out all
that is in it. Capitals make no difference. Hidden names (`.git`, `.obsidian`) are always left out.
"""

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Rule(StrEnum):
    """What decided about a path."""

    INCLUDED = "included"
    NOT_INCLUDED = "not_included"
    EXCLUDED = "excluded"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a path is wanted, by which rule, and the glob that fitted, if one did."""

    wanted: bool
    rule: Rule
    glob: str | None = field(default=None, repr=False)


_HIDDEN = Verdict(wanted=False, rule=Rule.HIDDEN)
_NOT_INCLUDED = Verdict(wanted=False, rule=Rule.NOT_INCLUDED)
_FOLDER = Verdict(wanted=True, rule=Rule.INCLUDED)


class Selection:
    """The user's globs, compiled."""

    def __init__(self, *, include: Sequence[str], exclude: Sequence[str] = ()) -> None:
        self._include = [_Glob(glob) for glob in include]
        self._exclude = [_Glob(glob) for glob in exclude]

    def of_file(self, relative: str) -> Verdict:
        """The verdict on a file, its folders included. `relative` has forward slashes."""
        folder = self.of_way(relative.rpartition("/")[0])
        return self.of_name(relative) if folder.wanted else folder

    def of_way(self, relative: str) -> Verdict:
        """The verdict on a folder, those above it included; empty is the source itself."""
        parts = relative.split("/") if relative else []
        for depth in range(1, len(parts) + 1):
            folder = self.of_folder("/".join(parts[:depth]))
            if not folder.wanted:
                return folder
        return _FOLDER

    def of_name(self, relative: str) -> Verdict:
        """The verdict on a file in a folder that is wanted."""
        left_out = self.of_folder(relative)
        if not left_out.wanted:
            return left_out
        for glob in self._include:
            if glob.fits(relative):
                return Verdict(wanted=True, rule=Rule.INCLUDED, glob=glob.text)
        return _NOT_INCLUDED

    def of_folder(self, relative: str) -> Verdict:
        """The verdict on a folder in a folder that is wanted."""
        if relative.rpartition("/")[2].startswith("."):
            return _HIDDEN
        for glob in self._exclude:
            if glob.fits(relative):
                return Verdict(wanted=False, rule=Rule.EXCLUDED, glob=glob.text)
        return _FOLDER


class _Glob:
    """One glob, as one compiled expression per part of the path; None stands for `**`."""

    __slots__ = ("_anchored", "_parts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        trimmed = text.casefold().rstrip("/")
        self._anchored = "/" in trimmed
        parts = [part for part in trimmed.split("/") if part]
        if parts and parts[-1] == "**" and len(parts) > 1:
            parts.pop()  # `drafts/**` leaves out the folder `drafts` itself too
        self._parts = [None if part == "**" else _compiled(part) for part in parts]

    def fits(self, relative: str) -> bool:
        path = relative.casefold()
        if not self._anchored:
            name = path.rpartition("/")[2]
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
    return re.compile(fnmatch.translate(part)).match
