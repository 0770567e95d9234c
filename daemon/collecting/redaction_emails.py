"""E-mail addresses with a dotted domain. Pure; visits each character a bounded number of times."""

import unicodedata
from collections.abc import Iterator

from daemon.collecting.redaction_reading import Find, Reading

_LOCAL_SIGNS = frozenset("._%+-'&~!#$?^`")  # of RFC 5322's atoms, less what ends words in markup
_LOGIN = 140  # characters that are looked back
_TRIMMED = "".join(_LOCAL_SIGNS)


def find_email_addresses(reading: Reading) -> Iterator[Find]:
    """From each @ outwards: neither side goes past another @."""
    text = reading.text
    at = text.find("@")
    free = 0  # where the address before ended
    while at != -1:
        start = _start_of_local_part(text, at, free)
        end = _end_of_domain(text, at + 1)
        if start < at and end > at + 1 and not _is_login(text, start):
            yield Find(start, end, "email", "email")
            free = end
        at = text.find("@", max(at + 1, free))


def _is_login(text: str, start: int) -> bool:
    """Whether what looks like a local part is the password in `scheme://name:password@host`."""
    if text[start - 1 : start] != ":":
        return False
    address = text[text.rfind("://", max(start - _LOGIN, 0), start) :][: _LOGIN + 1]
    return address.startswith("://") and not any(map(str.isspace, address.partition("@")[0]))


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
