"""The rules of redaction: each finds the stretches of one kind of secret in a text. Pure.

Every rule looks for a literal first, so that prose costs one search, and visits each character a
bounded number of times, so that no text makes it slow. A rule that is added or changed raises
`RULES_VERSION`; stored documents with an older one are then read and redacted again.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

RULES_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of secret.

    `find` yields (start, end) in order, without overlaps; `same` makes one value of the spellings
    that get the same number.
    """

    kind: str
    find: Callable[[str], Iterator[tuple[int, int]]]
    same: Callable[[str], str]


# --------------------------------------------------------------------------- private keys

# RFC 7468 (PEM), RFC 9580 (OpenPGP) and RFC 4716 (SSH2: four dashes and spaces).
_BORDER = re.compile(
    r"-{4,5} ?(?P<word>BEGIN|END) (?P<label>[A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?) ?-{4,5}"
)
# A line of a key's body, perhaps quoted or indented: base64, armor headers or nothing.
_BODY_LINE = re.compile(
    r"[ \t>\"'|]*+(?:[A-Za-z0-9+/=\\]{16,}+|=[A-Za-z0-9+/]{4}|[A-Z][A-Za-z0-9-]{1,30}+: [^\n]*+)?+"
    r"[ \t\"',\\]*+(?:\n|$)"
)
_LAST_LINE = re.compile(r"[ \t>\"'|]*+[A-Za-z0-9+/]{1,15}+={0,2}+[ \t\"',\\]*+(?:\n|$)")


def find_private_keys(text: str) -> Iterator[tuple[int, int]]:
    """Blocks from BEGIN to END; where the END is missing, as far as the lines look like a key."""
    if "PRIVATE KEY" not in text:
        return
    begun: re.Match[str] | None = None
    for border in _BORDER.finditer(text):
        if border["word"] == "BEGIN":
            if begun is not None:
                yield begun.start(), _end_of_body(text, begun.end(), border.start())
            begun = border
        elif begun is not None:
            yield begun.start(), border.end()
            begun = None
    if begun is not None:
        yield begun.start(), _end_of_body(text, begun.end(), len(text))


def _end_of_body(text: str, start: int, limit: int) -> int:
    """Where the lines that look like a key end; empty lines at the end stay outside."""
    at = end = start
    while at < limit and (line := _BODY_LINE.match(text, at, limit)) and line.end() > at:
        at = line.end()
        if not line[0].isspace():
            end = at
    if end > start and (last := _LAST_LINE.match(text, end, limit)):
        end = last.end()
    return end - 1 if end > start and text[end - 1] == "\n" else end


def _without_whitespace(key: str) -> str:
    return "".join(key.split())


# --------------------------------------------------------------------------- e-mail addresses

_LOCAL_SIGNS = frozenset("._%+-'&~!#$?^`")  # of RFC 5322's atoms, less what ends words in markup
_TRIMMED = "".join(_LOCAL_SIGNS)


def find_email_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Addresses with a dotted domain. From each @ outwards: neither side goes past another @."""
    at = text.find("@")
    free = 0  # where the address before ended
    while at != -1:
        start = _start_of_local_part(text, at, free)
        end = _end_of_domain(text, at + 1)
        if start < at and end > at + 1:
            yield start, end
            free = end
        at = text.find("@", max(at + 1, free))


def _start_of_local_part(text: str, at: int, free: int) -> int:
    start = at
    while start > free and _in_local_part(text[start - 1]):
        start -= 1
    while start < at and text[start] in _TRIMMED:
        start += 1
    return start


def _in_local_part(sign: str) -> bool:
    return sign.isalnum() or sign in _LOCAL_SIGNS or unicodedata.category(sign) == "Mn"


def _end_of_domain(text: str, start: int) -> int:
    """The end of `label.label.tld`, or `start` where none stands."""
    end = at = start
    while True:
        stop = at
        while stop < len(text) and (text[stop] == "-" or _in_label(text[stop])):
            stop += 1
        if stop == at:
            return end
        if at > start and (length := _top_level_length(text[at:stop])):
            end = at + length
        if stop == len(text) or text[stop] != ".":
            return end
        at = stop + 1


def _in_label(sign: str) -> bool:
    return sign.isalnum() or unicodedata.category(sign) == "Mn"


def _top_level_length(label: str) -> int:
    """How much of a label can be the last one; in `org-` and `org-wide` that is `org`."""
    if label.lower().startswith("xn--"):
        return len(label.rstrip("-"))
    word = label.partition("-")[0]
    return len(word) if len(word) >= 2 and word.isalpha() else 0


RULES = (
    Rule(kind="private key", find=find_private_keys, same=_without_whitespace),
    Rule(kind="email", find=find_email_addresses, same=str.casefold),
)
