"""A document's text as it grows: paragraphs apart by a blank line, items and rows by a line end.

Headings are written as in Markdown, items begin with a dash, cells stand apart by bars, so that all
formats read alike. Knows nothing of any of them.
"""

import re
from collections.abc import Iterable

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable

MOST_LEVELS = 6  # of headings, as in Markdown
_SPACES = re.compile(r"[^\S\n]+")
_ABOUT_LINE_ENDS = re.compile(r" ?\n ?")
_BLANK_LINES = re.compile(r"\n{3,}")
# Marks that nobody sees: soft hyphen, zero-width space, word joiner, byte order mark. What joins
# emoji or turns the direction of writing has a meaning and stays.
_UNSEEN = dict.fromkeys((0x00AD, 0x200B, 0x2060, 0xFEFF))
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_HALVES = re.compile("[\ud800-\udfff]")  # of a character, which no encoding takes


class Paragraphs:
    """Takes paragraphs in their order.

    Args:
        most_bytes: of the text; beyond it `add` raises Unreadable as `too_large`.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._size = 0
        self._parts: list[str] = []
        self._kind = ""  # of what was added last

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, text: str, *, kind: str = "", as_it_is: bool = False) -> None:
        """One paragraph; those of one kind, such as items, stand without a blank line between.

        `as_it_is` keeps its spaces, as of code.
        """
        text = tidy(text, spaces=as_it_is)
        if not text:
            return
        if self._parts:
            self._parts.append("\n" if kind and kind == self._kind else "\n\n")
        self._parts.append(text)
        self._kind = kind
        self._size += len(text.encode()) + 2
        if self._size > self._most_bytes:
            raise Unreadable(SkipReason.TOO_LARGE)

    def heading(self, text: str, level: int) -> None:
        words = " ".join(tidy(text).split())
        if words:
            self.add(f"{'#' * min(max(level, 1), MOST_LEVELS)} {words}")

    def item(self, text: str, depth: int = 0) -> None:
        words = tidy(text)
        if words:
            indent = "  " * min(depth, 8)
            self.add(f"{indent}- {words}", kind="item", as_it_is=True)

    def row(self, cells: Iterable[str]) -> None:
        words = [" ".join(tidy(cell).split()) for cell in cells]
        if any(words):
            self.add(" | ".join(words).strip(" |"), kind="row")

    def text(self) -> str:
        return "".join(self._parts)


def tidy(text: str, *, spaces: bool = False) -> str:
    """Without what nobody sees, and with single spaces unless they count."""
    text = _HALVES.sub("\ufffd", text)
    text = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).translate(_UNSEEN)
    if spaces:
        lines = (line.rstrip() for line in text.split("\n"))
        return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip("\n")
    return _ABOUT_LINE_ENDS.sub("\n", _SPACES.sub(" ", text)).strip()


def of_worth(text: str) -> str:
    """The same text. Raises Unreadable as `no_text` where there is not a letter in it."""
    if not any(character.isalpha() for character in text):
        raise Unreadable(SkipReason.NO_TEXT)
    return text


def about(**known: str | None) -> dict[str, str]:
    """What is known of a document, short, without what is not known."""
    found = {name: " ".join(tidy(value).split())[:200] for name, value in known.items() if value}
    return {name: value for name, value in found.items() if value}
