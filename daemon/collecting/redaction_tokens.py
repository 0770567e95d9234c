"""Tokens of providers in a text. Pure.

All are long runs without a space, which prose hardly has: only the words around such runs are
looked at, with one expression for the tokens that carry a sign of their own, and a look at what
stands before for those that do not.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator

from daemon.collecting.redaction_reading import MASK, Find, Reading
from daemon.collecting.redaction_token_table import NAMED, PREFIXED

SHORTEST_RUN = 16
_RUN = b"x" * SHORTEST_RUN
_WORD_BACK, _NAME_BACK = 64, 60
LEAST_BITS = 2.3  # per character; a run of x or 0123456789 repeated is an example, no token

# Without groups: a branch that begins with a letter is given up at that letter.
_PREFIXED = re.compile(r"(?<![A-Za-z0-9])(?:" + "|".join(pattern for _, pattern in PREFIXED) + ")")
_EACH = [(name, re.compile(pattern)) for name, pattern in PREFIXED]
_NAMES = re.compile(
    "|".join(f"(?P<t{number}>{name})" for number, (_, name, _) in enumerate(NAMED)).encode()
)
_SHAPES = {
    f"t{number}": (f"{name} by name", re.compile(rf"(?:{shape})", re.IGNORECASE))
    for number, (name, _, shape) in enumerate(NAMED)
}
_KEYWORD = re.compile(
    rb"(?:(?:api|access|auth|secret|private|signing)[ _-]?key|token|secret|credential)"
    rb"[\w-]{0,12}[\"'\])]{0,3} ?(?:[=:,>(]{0,2}|is)[ \"'(]{0,3}$"
)
_KEYWORD_BACK, _KEYWORD_RUN, _KEYWORD_BITS = 32, 16, 3.2
_ASSIGNED = re.compile(rb"[=:\"'(,> ]")


def find_tokens(reading: Reading) -> Iterator[Find]:
    runs, free = reading.runs, 0
    at = runs.find(_RUN)
    while at != -1:
        start = max(runs.rfind(b" ", max(at - _WORD_BACK, free), at) + 1, at - _WORD_BACK, free)
        end = runs.find(b" ", at)
        end = len(runs) if end == -1 else end
        yield from _in_words(reading, start, end)
        free = end
        at = runs.find(_RUN, end)


def _in_words(reading: Reading, start: int, end: int) -> Iterator[Find]:
    """Within one stretch without white space."""
    text, at = reading.text, start
    while found := _PREFIXED.search(text, at, end):
        if bits_per_character(found[0]) >= LEAST_BITS:
            yield Find(found.start(), found.end(), "token", _rule_of(found))
        at = found.end()
    yield from _named(reading, start, end)


def _rule_of(found: re.Match[str]) -> str:
    start, end = found.span()
    matches = ((name, each.match(found.string, start, found.endpos)) for name, each in _EACH)
    return next(name for name, match in matches if match and match.end() == end)


def _named(reading: Reading, start: int, end: int) -> Iterator[Find]:
    """Runs of a known shape after a provider's name."""
    runs, at = reading.runs, reading.runs.find(_RUN, start, end)
    while at != -1:
        stop = _end_of_run(runs, at, end)
        before = reading.before(at, _NAME_BACK)
        line = before.rpartition(b"\n")[2] or before
        if len(before) > 2 and _ASSIGNED.match(before, len(before) - 1):
            rule = _rule_by_name(line, reading.text[at:stop])
            if rule is not None:
                yield Find(at, stop, "token", rule)
        at = runs.find(_RUN, stop, end)


def _rule_by_name(before: bytes, value: str) -> str | None:
    if not looks_random(value):
        return None
    for name in list(_NAMES.finditer(before))[-2:]:
        rule, shape = _SHAPES[str(name.lastgroup)]
        if shape.fullmatch(value):
            return rule
    if len(value) >= _KEYWORD_RUN and _KEYWORD.search(before[-_KEYWORD_BACK:]):
        return "keyword" if bits_per_character(value) >= _KEYWORD_BITS else None
    return None


def _end_of_run(runs: bytes, start: int, end: int) -> int:
    dot = runs.find(b".", start, end)
    return end if dot == -1 else dot


def bits_per_character(value: str) -> float:
    """Shannon's entropy of the characters of a value."""
    some = value[:400]
    return -sum(n / len(some) * math.log2(n / len(some)) for n in Counter(some).values())


def looks_random(value: str) -> bool:
    """Letters and digits mixed, not one of them over and over; no mask in it."""
    if MASK in value:
        return False
    digits = sum(sign.isdigit() for sign in value)
    return digits > 0 and (digits < len(value)) and bits_per_character(value) >= 2.8
