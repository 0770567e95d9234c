"""A letter's text taken apart: what its writer wrote, and what he answered. Pure.

Cut are signatures, lines of mail programs, disclaimers, what was sent on, and what was quoted in a
quote. Lines are looked at one by one, so the time grows with the length of the text and no faster.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from daemon.extracting import mail_phrases as phrases

MOST_LINES = 20_000
_MARK = re.compile(r"[ \t]?(?:>[ \t]?)+")
_HEAD_LINES = 8  # among which the fields of a head stand
_FEWEST_FIELDS = 3  # of a head
_JOINED = 3  # lines that an attribution may take
_LAST_LINES = 14  # at the end, where a disclaimer may begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A stretch by one writer. `by` is the line that says who is quoted, where there is one."""

    own: bool
    text: str = field(repr=False)
    by: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    depth: int  # 0: the writer's own
    text: str


def blocks_of(text: str) -> list[Block]:
    """Own and quoted text in turn, as they stand in the letter; nothing empty among them."""
    lines = [_line(one) for one in text.splitlines()[:MOST_LINES]]
    own, below = _cut_below(_without_pgp(lines))
    found: list[Block] = []
    by = ""
    quoted: list[_Line] = []
    written: list[str] = []
    at = 0
    while at < len(own):
        line = own[at]
        taken = _attribution(own, at) if line.depth == 0 else 0
        if taken:
            found += _own(written) + _quoted(quoted, by)
            written, quoted = [], []
            by = " ".join(one.text.strip() for one in own[at : at + taken])
        elif line.depth:
            found += _own(written)
            written = []
            quoted.append(_Line(depth=line.depth - 1, text=line.text))
        elif not quoted:
            written.append(line.text)
        elif line.text.strip():
            found += _quoted(quoted, by)
            by, quoted, written = "", [], [line.text]
        at += taken or 1
    return found + _quoted(quoted, by) + _own(written) + below


def is_inline(blocks: Sequence[Block]) -> bool:
    """Whether quotes are answered one by one, rather than as a whole."""
    answers = sum(1 for before, after in pairwise(blocks) if after.own and not before.own)
    return answers >= 2


def without_closing(text: str) -> str:
    """What somebody else wrote, without greetings at its end and what stands below them."""
    lines = text.split("\n")
    for at in range(max(1, len(lines) - _LAST_LINES), len(lines)):
        if phrases.CLOSING.fullmatch(lines[at].strip()[: phrases.LONGEST]):
            return "\n".join(lines[:at]).rstrip()
    return text


def joined(blocks: Sequence[Block], *, own: bool) -> str:
    return "\n\n".join(block.text for block in blocks if block.own is own)


def _line(line: str) -> _Line:
    mark = _MARK.match(line)
    if mark is None:
        return _Line(depth=0, text=line.rstrip())
    return _Line(depth=mark[0].count(">"), text=line[mark.end() :].rstrip())


# --------------------------------------------------------------------------- what lies below


def _cut_below(lines: list[_Line]) -> tuple[list[_Line], list[Block]]:
    """The lines before a letter that stands below without marks; and that letter, if answered."""
    at, begin, by = _border(lines)
    if begin is None:
        return lines[:at], []
    below = lines[begin:]
    if not by:
        below, by = _without_head(below)
    return lines[:at], _quoted(below, by)


def _border(lines: list[_Line]) -> tuple[int, int | None, str]:
    """Where the writer's lines end; where the letter begins that he answers, if it is one; and who
    wrote it, where one line says so.
    """
    for at, line in enumerate(lines):
        words = line.text.strip()
        if line.depth or not words or len(words) > phrases.LONGEST:
            continue
        if phrases.FORWARDED.fullmatch(words):
            return at, None, ""
        if phrases.ORIGINAL.fullmatch(words):
            return at, at + 1, ""
        if phrases.SEPARATOR.fullmatch(words):
            if _is_head(lines, at + 1):
                return at, at + 1, ""
            if any(phrases.LIST_FOOTER.match(one.text[:300]) for one in lines[at + 1 : at + 4]):
                return at, None, ""
        elif _is_head(lines, at):
            return at, at, ""
        elif (taken := _attribution(lines, at)) and not _quote_follows(lines, at + taken):
            by = " ".join(one.text.strip() for one in lines[at : at + taken])
            return at, at + taken, by
    return len(lines), None, ""


def _without_head(lines: list[_Line]) -> tuple[list[_Line], str]:
    """What stands under a head, and its first line."""
    by: list[str] = []
    at = 0
    while at < len(lines) and len(by) < 2 * _HEAD_LINES:
        words = lines[at].text.strip()
        if phrases.HEAD_SENDER.match(words) or phrases.HEAD_OTHER.match(words):
            by.append(words)
        elif words and not (by and lines[at - 1].text.strip() and _goes_on(words, len(by))):
            break  # the first words after the head
        at += 1
    return lines[at:], by[0] if by else ""


def _goes_on(words: str, fields: int) -> bool:
    """Whether a line of a head, after some fields, belongs to the field before it."""
    return fields < _FEWEST_FIELDS or "@" in words or words.endswith((";", ","))


def _is_head(lines: Sequence[_Line], at: int) -> bool:
    while at < len(lines) and not lines[at].text.strip():
        at += 1
    if at >= len(lines) or not phrases.HEAD_SENDER.match(lines[at].text[: phrases.LONGEST].strip()):
        return False
    rest = lines[at + 1 : at + 1 + _HEAD_LINES]
    others = sum(1 for one in rest if phrases.HEAD_OTHER.match(one.text[:100].strip()))
    return others >= 2


# --------------------------------------------------------------------------- who is quoted


def _attribution(lines: Sequence[_Line], at: int) -> int:
    """How many lines from here say who is quoted; none, if they say nothing like it."""
    first = lines[at].text.strip()
    if not first or len(first) > phrases.LONGEST:
        return 0
    together = ""
    for taken in range(1, _JOINED + 1):
        if at + taken > len(lines) or lines[at + taken - 1].depth != lines[at].depth:
            return 0
        words = lines[at + taken - 1].text.strip()
        together = f"{together} {words}".strip()
        if not words or len(together) > phrases.LONGEST:
            return 0
        if together.endswith((":", "：")):
            if not phrases.is_attribution(together):
                return 0
            alone = taken == 1 and _quote_follows(lines, at + taken)
            return taken if alone or phrases.DATED.fullmatch(together) else 0
    return 0


def _quote_follows(lines: Sequence[_Line], at: int) -> bool:
    while at < len(lines) and not lines[at].depth and not lines[at].text.strip():
        at += 1
    return at < len(lines) and lines[at].depth > 0


# --------------------------------------------------------------------------- what is not said


def _own(lines: list[str]) -> list[Block]:
    text = _tidy(_without_signature(lines))
    return [Block(own=True, text=text)] if text else []


def _quoted(lines: list[_Line], by: str) -> list[Block]:
    """Without what is quoted in it, and the lines over that. Some quote the line over it too."""
    at = next((n for n, line in enumerate(lines) if line.depth or line.text.strip()), len(lines))
    if not by and at < len(lines) and (taken := _attribution(lines, at)):
        by = " ".join(line.text.strip() for line in lines[at : at + taken])
        lines = lines[at + taken :]
    lines = lines[: _border(lines)[0]]
    kept: list[str] = []
    at = 0
    while at < len(lines):
        taken = 0 if lines[at].depth else _attribution(lines, at)
        if not taken and not lines[at].depth:
            kept.append(lines[at].text)
        at += taken or 1
    text = without_closing(_tidy(_without_signature(kept)))
    return [Block(own=False, text=text, by=by)] if text else []


def _without_signature(lines: list[str]) -> list[str]:
    for at, line in enumerate(lines):
        words = line.strip()
        last = len(lines) - at <= _LAST_LINES
        if words == "--" and line.startswith("--"):
            return lines[:at]
        if len(words) > phrases.LONGEST:
            words = words[: phrases.LONGEST]
        if phrases.SENT_FROM.fullmatch(words) and last:
            return lines[:at]
        if last and phrases.DISCLAIMER.match(words):
            return lines[:at]
    return lines


def _without_pgp(lines: list[_Line]) -> list[_Line]:
    """Without the marks of a signed letter, and without what is only there for programs."""
    kept: list[_Line] = []
    skipping = head = False
    for line in lines:
        words = line.text
        if words.startswith("-----BEGIN PGP"):
            head = words.startswith("-----BEGIN PGP SIGNED")
            skipping = not head
        elif words.startswith("-----END PGP"):
            skipping = False
        elif head:
            head = bool(words.strip())
        elif not skipping:
            kept.append(line)
    return kept


def _tidy(lines: Sequence[str]) -> str:
    text = "\n".join(line.rstrip() for line in lines).strip("\n \t\u00a0\u200b")
    return re.sub(r"\n{3,}", "\n\n", text)
