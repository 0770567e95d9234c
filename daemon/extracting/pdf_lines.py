"""Lines of printed pages to paragraphs: a PDF knows where letters stand, not what belongs together.

Running heads and page numbers go, words that were parted at a line's end become whole, lines of one
paragraph become one, also across pages. Rules of thumb; a line too many apart is the usual mistake.
Pure.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

HEAD_LINES = 2  # at the top and at the foot of a page that may be running heads
LEAST_PAGES = 3  # with the same words there
_FULL = 0.75  # of the usual width of a page: a line as long may go on in the next
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"[-–—·|\s]*(?:(?:page|seite|s\.|p\.|página|pagina)\s*)?(?:\d{1,4}|[ivxlc]{1,7})"
    r"(?:\s*(?:/|of|von|de|sur|di)\s*\d{1,4})?[-–—·|\s]*",
    re.IGNORECASE,
)
_ENDS_SENTENCE = re.compile(r"[.!?:;…。！？؟۔]['\"”’»)\]]{0,3}")
_BEGINS_ITEM = re.compile(
    r"(?:[•‣◦▪●∙*–—-]|\(?\d{1,3}[.)]|\d{1,3}(?:\.\d{1,3})+\.?|\(?[a-zA-Z][.)])\s+\S"
)
_OF_CONTENTS = re.compile(r".{0,300}?(?:\s?\.){5,}\s*(?:\d{1,4}|[ivxlc]{1,7})?")  # leaders of dots
_HYPHENS = ("-", "\u2010", "\u00ad")
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl"} | {
    0xFB05: "st",
    0xFB06: "st",
}


def paragraphs(pages: Iterable[str]) -> list[str]:
    """Text of pages, one after the other, to paragraphs."""
    lines = [[_tidy(line) for line in page.splitlines()] for page in pages]
    heads = _running_heads(lines)
    bare = [_without_heads(page, heads) for page in lines]
    return _joined(bare)


def _tidy(line: str) -> str:
    return " ".join(line.translate(_LIGATURES).split())


def _edge(page: Sequence[str]) -> list[int]:
    """Where the lines stand that may be running heads."""
    filled = [number for number, line in enumerate(page) if line]
    return sorted({*filled[:HEAD_LINES], *filled[-HEAD_LINES:]})


def _alike(line: str) -> str:
    return _DIGITS.sub("#", line.casefold())


def _running_heads(pages: Sequence[Sequence[str]]) -> set[str]:
    counts = Counter(alike for page in pages for alike in {_alike(page[n]) for n in _edge(page)})
    least = max(LEAST_PAGES, len(pages) // 5)  # a chapter's head stands on its pages only
    return {alike for alike, count in counts.items() if count >= least}


def _without_heads(page: Sequence[str], heads: set[str]) -> list[str]:
    gone = set()
    for number in _edge(page):
        line = page[number]
        if _alike(line) in heads or _PAGE_NUMBER.fullmatch(line):
            gone.add(number)
    return [
        line
        for number, line in enumerate(page)
        if number not in gone and not (" ." in line and _OF_CONTENTS.fullmatch(line[:400]))
    ]


def _joined(pages: Sequence[Sequence[str]]) -> list[str]:
    found: list[str] = []
    current: list[str] = []
    for page in pages:
        width = _usual_width(page)
        last = ""
        begins = True  # at a page's top nothing is known of the gap
        for line in page:
            if not line:
                last = "" if not begins else last
                if not begins:
                    _end(current, found)
                continue
            before = current[-1] if current else ""
            if before and not _goes_on(before, line, width, at_top=begins):
                _end(current, found)
            current.append(line)
            last, begins = line, False
        if last and not _may_go_on_over_the_page(last):
            _end(current, found)
    _end(current, found)
    return found


def _usual_width(page: Sequence[str]) -> int:
    """Characters in a line that is nearly as long as the longest."""
    lengths = sorted(len(line) for line in page if line)
    return lengths[int(len(lengths) * 0.9)] if lengths else 0


def _goes_on(before: str, line: str, width: int, *, at_top: bool) -> bool:
    """Whether `line` belongs to the paragraph that ends with `before` so far."""
    if _BEGINS_ITEM.match(line):
        return False
    if _is_parted(before, line):
        return True
    if at_top:
        return line[0].islower()
    if len(before) < _FULL * width:
        return line[0].islower() and not _ends_sentence(before)
    return True


def _may_go_on_over_the_page(last: str) -> bool:
    return not _ends_sentence(last)


def _end(current: list[str], found: list[str]) -> None:
    if current:
        found.append(_one_line(current))
        current.clear()


def _one_line(lines: Sequence[str]) -> str:
    pieces = [lines[0]]
    for before, line in pairwise(lines):
        if _is_parted(before, line):
            pieces[-1] = pieces[-1][:-1]
        else:
            pieces.append(" ")
        pieces.append(line)
    return "".join(pieces)


def _is_parted(before: str, line: str) -> bool:
    """Whether a word begins at the end of one line and ends in the next."""
    return before.endswith(_HYPHENS) and before[-3:-1].isalpha() and line[0].islower()


def _ends_sentence(line: str) -> bool:
    end = line[-4:]
    return any(_ENDS_SENTENCE.fullmatch(end[start:]) for start in range(len(end)))
