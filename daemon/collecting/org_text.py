"""Org as it is, but for what is not written to be read: drawers, keywords, comments, plans. Pure.

Headings, lists, tables and blocks of prose or code stay as they stand.
"""

import re
from collections.abc import Iterator

from daemon.collecting.front_matter import known_facts

_KEYWORD = re.compile(r"[ \t]*#\+([A-Za-z_-]+)(?:\[[^\]]*\])?:[ \t]*(.*)$")
_BLOCK = re.compile(r"[ \t]*#\+(begin|end)_(\w+)", re.IGNORECASE)
_COMMENT = re.compile(r"[ \t]*#(?: |$)")
_DRAWER = re.compile(r"[ \t]*:([\w-]+):[ \t]*$")
_DRAWER_END = re.compile(r"[ \t]*:END:[ \t]*$", re.IGNORECASE)
_PLAN = re.compile(r"[ \t]*(?:(?:SCHEDULED|DEADLINE|CLOSED):[ \t]*[<\[][^>\]]*[>\]][ \t]*)+$")
_HEADING = re.compile(r"(\*+) +(?:(COMMENT)\b)?")
_UNREAD_BLOCKS = ("comment", "export")
_BARE_BLOCKS = ("quote", "verse", "center")  # whose marks go and whose text stays


def read_org(text: str) -> tuple[str, dict[str, str]]:
    """The text, and what is known about it."""
    known: dict[str, list[str]] = {}
    lines = text.split("\n")
    kept = "\n".join(_kept(lines, known))
    return re.sub(r"\n{3,}", "\n\n", kept).strip("\n") + "\n", known_facts(known)


def _kept(lines: list[str], known: dict[str, list[str]]) -> Iterator[str]:
    ends = _DrawerEnds(lines)
    number, commented, block = 0, 0, ""
    while number < len(lines):
        line = lines[number]
        number += 1
        border = _BLOCK.match(line)
        if block:  # of code or of what is not read: only its end counts
            ended = border is not None and border[1].lower() == "end" and border[2].lower() == block
            if block not in _UNREAD_BLOCKS and not commented:
                yield line
            block = "" if ended else block
            continue
        heading = _HEADING.match(line)
        if heading:
            depth = len(heading[1])
            if not commented or depth <= commented:
                commented = depth if heading[2] else 0
        if commented:
            continue
        if border:
            if border[2].lower() not in _BARE_BLOCKS:
                block = border[2].lower() if border[1].lower() == "begin" else ""
                if block and block not in _UNREAD_BLOCKS:
                    yield line
        elif keyword := _KEYWORD.match(line):
            known.setdefault(keyword[1].lower(), [keyword[2].strip(": \t").replace(":", ", ")])
        elif _DRAWER.match(line) and (end := ends.after(number)) is not None:
            number = end + 1
        elif not (_COMMENT.match(line) or _PLAN.match(line)):
            yield line


class _DrawerEnds:
    """Where the next end of a drawer stands, without looking twice at a line."""

    def __init__(self, lines: list[str]) -> None:
        self._ends = [n for n, line in enumerate(lines) if _DRAWER_END.match(line)]
        self._headings = [n for n, line in enumerate(lines) if _HEADING.match(line)]
        self._end = self._heading = 0

    def after(self, number: int) -> int | None:
        """None where a heading or the end of the text comes first: that drawer is none."""
        self._end = _next(self._ends, self._end, number)
        self._heading = _next(self._headings, self._heading, number)
        if self._end == len(self._ends):
            return None
        end = self._ends[self._end]
        is_cut = self._heading < len(self._headings) and self._headings[self._heading] < end
        return None if is_cut else end


def _next(places: list[int], at: int, number: int) -> int:
    while at < len(places) and places[at] < number:
        at += 1
    return at
