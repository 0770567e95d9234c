"""One line of an export of WhatsApp: whether it begins a message, when, and whose. Pure.

iOS writes `[31.12.23, 23:59:01] Name: ...`, Android `31.12.23, 23:59 - Name: ...`; between the
parts stand spaces and unseen marks of many kinds.
"""

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from daemon.extracting.chat_names import MARKS, shown_name
from daemon.extracting.whatsapp_dates import Date

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
_PARTS = ("open", "a", "b", "c", "before", "hour", "minute", "second", "after")
_LETTERS = frozenset(string.ascii_letters)
_NO_NAME = re.compile(r'["“”„«»\n]')  # a name has none of these; a line about a group often has


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands before a message. `before` and `after` are words beside the time."""

    bracketed: bool  # as iOS writes
    date: Date
    date_text: str
    time: tuple[int, int, int]
    before: str
    after: str

    @property
    def is_padded(self) -> bool:
        """Whether small numbers have a zero before them."""
        return re.search(r"\b0\d\b", self.date_text) is not None


def header_of(line: str) -> tuple[Header, str] | None:
    """The header and what stands after it: the speaker and the words, or a line of the app's own.

    None for a line that goes on with the message before.
    """
    if not line or line[0] in _LETTERS:
        return None  # most lines that are none, at once
    closing = "] " if "[" in line[:3] else " - "
    end = line.find(closing, _SHORTEST_HEADER, LONGEST_HEADER)
    found = _read(line[: LONGEST_HEADER if end < 0 else end + len(closing)])
    return None if found is None else (found[0], line[found[1] :])


@lru_cache(maxsize=1 << 14)  # the messages of a minute have one header
def _read(head: str) -> tuple[Header, int] | None:
    """The header at the beginning of a text, and where it ends."""
    found = _HEADER.match(head) or _TIME_FIRST.match(head)
    if found is None or (found["open"] is None) is not (found["close"].strip() != "]"):
        return None
    opened, a, b, c, before, hour, minute, second, after = found.group(*_PARTS)
    if len(a) != 4 and len(c) not in (2, 4):
        return None
    header = Header(
        bracketed=opened is not None,
        date=(int(a), int(b), int(c)),
        date_text=head[found.start("a") : found.end("c")],
        time=(int(hour), int(minute), int(second or 0)),
        before=before.strip() if before else "",
        after=after.strip() if after else "",
    )
    return header, found.end()


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
    shown = shown_name(name)
    if not shown or len(name) > LONGEST_NAME or _NO_NAME.search(shown):
        return None
    return shown, words
