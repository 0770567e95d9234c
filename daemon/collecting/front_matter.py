"""The block between two `---` on top of a Markdown file: what is known about it. Pure.

A small, strict reading of YAML: `key: value`, `key: [a, b]`, and `key:` with `- item` lines below.
What is nested deeper is passed over; a block with any other line in it is text and stays.
"""

import re
from collections.abc import Iterable, Mapping

MOST_LINES = 200
MOST_CHARACTERS = 200  # of a value
_FENCE = "---"
_ENDS = ("---", "...")
_KEY = re.compile(r"([A-Za-z_][\w .-]{0,60}?)\s*:(?:\s+(.*))?$")
_ITEM = re.compile(r"\s*-\s+(.*)$")
_BLOCK_SCALAR = re.compile(r"[|>][+-]?\d?$")
# What is taken, by the names that people give it.
_NAMES = {
    **dict.fromkeys(("title", "subtitle", "description"), ""),
    **{"author": "author", "authors": "author", "by": "author"},
    **{"date": "date", "created": "date", "published": "date"},
    **{"lang": "language", "language": "language", "locale": "language"},
    **{"tags": "tags", "tag": "tags", "keywords": "tags", "categories": "tags", "category": "tags"},
    **{"filetags": "tags", "topic": "tags", "summary": "description", "abstract": "description"},
}


def split_front_matter(text: str) -> tuple[dict[str, str], str]:
    """What the block says, and the text below it; all of the text where there is no block."""
    if not text.startswith(_FENCE):
        return {}, text
    lines: list[str] = []
    at = 0
    while len(lines) <= MOST_LINES and at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line, at = text[at:end].rstrip(), end + 1
        if lines and line in _ENDS:
            known = _read(lines[1:])
            return (known_facts(known), text[at:].lstrip("\n")) if known is not None else ({}, text)
        if not lines and line != _FENCE:
            break
        lines.append(line)
    return {}, text


def known_facts(found: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Those of worth to a reader of the text, under one name each, short; the first word counts."""
    facts: dict[str, str] = {}
    for key, values in found.items():
        name = key.strip().lower()
        if name not in _NAMES:
            continue
        words = ", ".join(" ".join(value.split()) for value in values if value.strip())
        if words:
            facts.setdefault(_NAMES[name] or name, words[:MOST_CHARACTERS])
    return facts


def _read(lines: Iterable[str]) -> dict[str, list[str]] | None:
    """Values by key; None where a line is none of a block's."""
    found: dict[str, list[str]] = {}
    values: list[str] | None = None
    for line in lines:
        item = _ITEM.match(line)
        key = _KEY.match(line)
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if item and values is not None:
            values.append(_unquoted(item[1]))
        elif key:
            values = found.setdefault(key[1], [])
            values += _values(key[2] or "")
        elif not line[0].isspace() or values is None:
            return None
    return found or None


def _values(text: str) -> list[str]:
    text = text.strip()
    if not text or text[0] in "{&*!" or _BLOCK_SCALAR.match(text):
        return []
    if text.startswith("[") and text.endswith("]"):
        return [_unquoted(part) for part in text[1:-1].split(",")]
    return [_unquoted(text)]


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text.partition(" #")[0].rstrip()
