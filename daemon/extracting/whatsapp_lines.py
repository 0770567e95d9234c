"""One line of an export of WhatsApp: whether it begins a message, when, and whose. Pure.

iOS writes `[31.12.23, 23:59:01] Name: ...`, Android `31.12.23, 23:59 - Name: ...`; between the
parts stand spaces and unseen marks of many kinds.
"""

import re
import string
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from daemon.extracting.chat_names import MARKS, shown_name
from daemon.extracting.whatsapp_dates import Date, is_half

LONGEST_NAME = 60
_SHORTEST_HEADER = 10
LONGEST_HEADER = 100  # of a real one about 45, with its marks
_DATE = r"""
    (?P<a>\d{1,4})M*[./\-年]M*\s?M*(?P<b>\d{1,2})M*[./\-月]M*\s?M*(?P<c>\d{1,4})M*[.日]?M*
"""
_TIME = r"""
    (?P<before>[^\W\d][^\d\[\]:\n]{0,14}?)?\s*M*
    (?P<hour>\d{1,2})(?:M*[:.]M*|\s?h\s?)(?P<minute>\d{2})(?:M*[:.]M*(?P<second>\d{2}))?
    \s*M*(?P<after>[^\W\d][^\d\[\]:\n\-–,]{0,14}?)?\s*M*
"""
_OPENING, _BETWEEN = r"M*(?P<open>\[)?M*", r"[,،]?\s*M*"
_CLOSING = r"(?P<close>\]\s?|\s?[-–]\s|\s[-–]$)"


def _pattern(*parts: str) -> re.Pattern[str]:
    return re.compile("".join(parts).replace("M*", f"[{MARKS}]*"), re.VERBOSE)


_HEADER = _pattern(_OPENING, _DATE, _BETWEEN, _TIME, _CLOSING)
_TIME_FIRST = _pattern(_OPENING, _TIME, _BETWEEN, _DATE, _CLOSING)  # as in Vietnamese
_ANY_DIGIT = bytes.maketrans(b"123456789", b"0" * 9)  # as bytes it takes a fifth of the time
_LETTERS = frozenset(string.ascii_letters)
_NO_NAME = re.compile(r'["“”„«»\n]')  # a name has none of these; a line about a group often has


class Header(NamedTuple):
    """Where the parts stand before a message, in all headers that differ in their digits only."""

    bracketed: bool  # as iOS writes
    date: slice
    date_parts: tuple[slice, slice, slice]
    time_parts: tuple[slice, slice, slice]
    after: str  # the word after the time
    half: str  # the word for before or after noon, beside the time
    end: int

    def date_in(self, line: str) -> Date:
        first, second, third = self.date_parts
        return int(line[first]), int(line[second]), int(line[third])

    def time_in(self, line: str) -> tuple[int, int, int]:
        hour, minute, second = self.time_parts
        return int(line[hour]), int(line[minute]), int(line[second] or 0)


def is_padded(date: str) -> bool:
    """Whether small numbers have a zero before them."""
    return re.search(r"\b0\d\b", date) is not None


def header_of(line: str) -> Header | None:
    """What a message begins with; what stands after it is the speaker and the words, or a line of
    the app's own.

    None for a line that goes on with the message before.
    """
    if not line or line[0] in _LETTERS:
        return None  # most lines that are none, at once
    if line[0] == "[" or "[" in line[1:3]:
        end = line.find("] ", _SHORTEST_HEADER, LONGEST_HEADER) + 2
    else:
        end = line.find(" - ", _SHORTEST_HEADER, LONGEST_HEADER) + 3
    head = line[: end if end > _SHORTEST_HEADER else LONGEST_HEADER]
    return _read(head.encode("utf-8", "surrogatepass").translate(_ANY_DIGIT))


@lru_cache(maxsize=1 << 12)  # a chat has a few dozen
def _read(shape: bytes) -> Header | None:
    """The patterns ask whether something is a digit and never which: all these match alike."""
    head = shape.decode("utf-8", "surrogatepass")
    found = _HEADER.match(head) or _TIME_FIRST.match(head)
    if found is None or (found["open"] is None) is not (found["close"].strip() != "]"):
        return None
    a, b, c, hour, minute = (slice(*found.span(name)) for name in ("a", "b", "c", "hour", "minute"))
    if a.stop - a.start != 4 and c.stop - c.start not in (2, 4):
        return None
    after = (found["after"] or "").strip()
    return Header(
        bracketed=found["open"] is not None,
        date=slice(a.start, c.stop),
        date_parts=(a, b, c),
        time_parts=(hour, minute, slice(*found.span("second")) if found["second"] else slice(0)),
        after=after,
        half=after if is_half(after) else (found["before"] or "").strip(),
        end=found.end(),
    )


def speaker_of(rest: str, known: Iterable[str] = ()) -> tuple[str, str] | None:
    """(name, words) of a message; None where nobody speaks.

    Args:
        known: names that have a colon in them, as they stand.
    """
    for name in known:
        if rest.startswith(f"{name}: "):
            return shown_name(name), rest[len(name) + 2 :]
    name, colon, words = rest.partition(": ")
    if not colon:
        if not rest.endswith(":"):
            return None
        name, words = rest[:-1], ""
    shown = _speaker(name) if len(name) <= LONGEST_NAME else None
    return None if shown is None else (shown, words)


@lru_cache(maxsize=4096)
def _speaker(name: str) -> str | None:
    """The name as it is shown; None for what is none."""
    shown = shown_name(name)
    return None if not shown or _NO_NAME.search(shown) else shown
