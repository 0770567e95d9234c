"""Rules for text that is data: JSON, markup, tables, numbers, lists of links."""

import json
import re
from collections import Counter

from trainer.judged_text import JudgedText

_JSON_LINE = re.compile(
    r'^\s*(?:[\[\]{}]+,?|"[^"]{0,200}"\s*:.*|"[^"]*",?|-?\d[\d.eE+-]*,?|true,?|false,?|null,?)\s*$'
)
LEAST_JSON_LINES = 3
JSON_LINES = 0.8

_TAG = re.compile(r"<[/!?]?[A-Za-z-][^<>]{0,2000}>")
TAG_SHARE = 0.35

LEAST_TABLE_LINES = 5
ALIKE_LINES = 0.9
CELL_WORDS = 3.0
SEPARATORS = {",": 2, ";": 2, "\t": 1, "|": 2}  # and how many make a line a row

_LINK = re.compile(r"(?:https?|ftp)://\S+|\bwww\.\S+|\[url \d+\]|\]\([^()\s]*\)")
LINK_MARKS = ("://", "www.", "[url ", "](")
LEAST_LINKS = 4
LINK_LINES = 0.6
WORDS_BESIDE = 8
LINK_SHARE = 0.5

DIGITS = 0.35


def structured_data(text: JudgedText) -> bool:
    """JSON, whole or line by line."""
    bare = text.text.strip()
    if not bare.startswith(("{", "[")):
        return False
    if bare.endswith(("}", "]")) and _is_json(bare):
        return True
    lines = text.lines
    if len(lines) >= LEAST_JSON_LINES and all(_is_json(line) for line in lines[:5]):
        return True
    found = [bool(_JSON_LINE.match(line)) for line in text.starts]
    return len(found) >= LEAST_JSON_LINES and text.share_of_lines(found) >= JSON_LINES


def markup(text: JudgedText) -> bool:
    """More tags than text."""
    tags = sum(len(tag) for tag in _TAG.findall(text.text))
    return tags >= TAG_SHARE * max(1, len(text.text.strip()))


def table(text: JudgedText) -> bool:
    """Rows of short cells, every row with as many; not a page with a table on it."""
    if text.spoken or len(text.starts) < LEAST_TABLE_LINES:
        return False
    for separator, least in SEPARATORS.items():
        counts = Counter(line.count(separator) for line in text.starts)
        per_line, lines = counts.most_common(1)[0]
        if per_line < least or lines < ALIKE_LINES * len(text.starts):
            continue
        cells = [cell for line in text.starts for cell in line.split(separator)]
        if sum(len(cell.split()) for cell in cells) <= CELL_WORDS * len(cells):
            return not _ends_in_sentences(text.starts)
    return False


def link_list(text: JudgedText) -> bool:
    """Addresses with a few words beside them."""
    if not any(mark in text.text for mark in LINK_MARKS):
        return False
    links = [len("".join(_LINK.findall(line))) for line in text.lines]
    bare = sum(
        bool(found) and len(_LINK.sub("", line).split()) <= WORDS_BESIDE
        for line, found in zip(text.lines, links)
    )
    if bare < LEAST_LINKS:
        return False
    rest = sum(len(line) for line in text.lines)
    return bare >= LINK_LINES * len(text.lines) or sum(links) >= LINK_SHARE * rest


def numbers(text: JudgedText) -> bool:
    """More figures than a person writes who tells something."""
    digits = sum(map(str.isdigit, text.text))
    letters = sum(map(str.isalpha, text.text))
    return digits >= DIGITS * max(1, digits + letters)


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def _ends_in_sentences(lines: list[str]) -> bool:
    """Whether most lines end as verses and sentences do."""
    return sum(line.rstrip()[-1] in ".!?;。！？" for line in lines) > len(lines) / 2
