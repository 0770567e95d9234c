"""A text as the rules of redaction read it, and what they answer. Pure.

A rule asks these forms first, which cost a pass over the text each and no regular expression. All
have one byte for each character, so that an offset is the same in each. What was redacted before
is masked, so that no rule finds it again or takes it for context.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

KINDS = ("private key", "token", "password", "card", "iban", "national id", "email", "phone")
PLACEHOLDER = re.compile(rf"\[({'|'.join(KINDS)}) ([1-9][0-9]{{0,5}})\]")
MASK = "\x7f"  # no letter, no digit, no space, and in no secret

_PLAIN = {0x2010: "-", 0x2011: "-", 0x2013: "-", 0x202F: " ", 0x2009: " ", 0xFF1A: ":", 0xFF1D: "="}
_ACCENTS = dict(zip("àáâãäåçèéêëìíîïñòóôõöùúûüýÿøœ", "aaaaaaceeeeiiiinooooouuuuyyoo", strict=True))


def _table(say: Callable[[str], str]) -> bytes:
    return bytes(ord(said) if ord(said := say(chr(n))) < 256 else n for n in range(256))


def _fold(sign: str) -> str:
    lower = sign.lower()
    return _ACCENTS.get(lower, " " if sign == "\xa0" else lower)


def _shape(sign: str) -> str:
    if sign.isascii() and sign.isdigit():
        return "0"
    if sign.isalpha():
        return "a"
    return " " if sign == "\xa0" else sign


def _run(sign: str) -> str:
    if sign.isascii() and (sign.isalnum() or sign in "_-"):
        return "x"
    return " " if sign.isspace() else "."


_FOLD, _SHAPE, _RUN = _table(_fold), _table(_shape), _table(_run)
_SEPARATORS = _table(lambda sign: "=" if sign in "=:" else ".")


class Find(NamedTuple):
    """One secret: where it is, what it is replaced by, and which rule says so."""

    start: int
    end: int
    kind: str  # one of KINDS
    rule: str


@dataclass(slots=True, kw_only=True)
class Reading:
    """A text in several forms of the same length."""

    text: str = field(repr=False)  # placeholders masked
    folded: bytes = field(repr=False)  # lower case, without accents; `?` beyond Latin-1
    shape: bytes = field(repr=False)  # digits as 0, letters as a
    runs: bytes = field(repr=False)  # x where a token may go on, a space for white space
    # what two rules look at, once the first has asked: see `redaction_numbers.candidates`
    candidates: list[list[tuple[int, int]]] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, text: str) -> "Reading":
        if "[" in text:
            text = PLACEHOLDER.sub(lambda found: MASK * len(found[0]), text)
        plain = text
        if not text.isascii():
            for code, sign in _PLAIN.items():
                plain = plain.replace(chr(code), sign)
        signs = plain.encode("latin-1", "replace")
        return cls(
            text=text,
            folded=signs.translate(_FOLD),
            shape=signs.translate(_SHAPE),
            runs=signs.translate(_RUN),
        )

    @property
    def separators(self) -> bytes:
        """= for an equals sign or a colon; made anew each time."""
        return self.folded.translate(_SEPARATORS)

    def before(self, at: int, characters: int) -> bytes:
        """What stands folded before a place, not past what was redacted."""
        return self.folded[max(at - characters, 0) : at].rpartition(b"\x7f")[2]

    def after(self, at: int, characters: int) -> bytes:
        return self.folded[at : at + characters].partition(b"\x7f")[0]

    def own_line(self, start: int, end: int) -> bool:
        """Whether nothing else stands in the line of this stretch."""
        left = self.folded.rfind(b"\n", max(start - 8, 0), start) + 1 or max(start - 8, 0)
        right = self.folded.find(b"\n", end, end + 8)
        right = min(end + 8, len(self.folded)) if right == -1 else right
        far = start - left == 8 or right - end == 8
        return not far and not (self.folded[left:start] + self.folded[end:right]).strip(
            b" \t\r,;-*>|'\""
        )


# Where digits are: prose has few of them, and rules for numbers look nowhere else.
_REGION = re.compile(rb"00*+(?:[^0]{1,24}+00*+)*+")  # begins with a literal: a fast search
_REGION_EDGE = 24


def digit_regions(reading: Reading) -> Iterator[tuple[int, int]]:
    """Stretches with digits in them and some characters around; two may touch, none overlap."""
    free = 0
    for found in _REGION.finditer(reading.shape):
        start, end = max(found.start() - _REGION_EDGE, free), found.end() + _REGION_EDGE
        yield start, end
        free = end


Rule = Callable[[Reading], Iterator[Find]]


def places(signs: bytes, literal: bytes, start: int = 0, end: int | None = None) -> Iterator[int]:
    """Where a literal stands, without overlaps."""
    at = signs.find(literal, start, end)
    while at != -1:
        yield at
        at = signs.find(literal, at + len(literal), end)
