"""Exports of WhatsApp: one chat as lines of text, in the language and date style of a telephone.

Read twice: dates tell their order, and names who is to have a pseudonym, only when all are seen.
What is neither Gregorian nor Buddhist, or has no lines that begin as messages do, is not guessed
at: `unknown_format`.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from daemon.collecting.skipping import SkipReason
from daemon.extracting.chat_conversations import ME, Message, Paths, conversations, document_of
from daemon.extracting.chat_names import Names, same_name
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.text_pieces import text_lines
from daemon.extracting.whatsapp_dates import Date, DateStyle, is_half, style_of, time_of_day
from daemon.extracting.whatsapp_lines import Header, header_of, speaker_of
from daemon.extracting.whatsapp_words import words_of

MOST_PEOPLE = 20_000
MOST_MESSAGE_LINES = 20_000
LONGEST_LINE = 200_000
_FIRST_LINES = 20  # in which a chat has begun
_UNIX_EPOCH = datetime.datetime(1970, 1, 1)
FORMAT = "whatsapp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a chat says of itself, all lines seen."""

    style: DateStyle
    bracketed: bool
    people: tuple[str, ...] = field(repr=False)


def is_whatsapp(first_lines: list[str]) -> bool:
    return any(header_of(line) is not None for line in first_lines[:_FIRST_LINES])


def survey(file: BinaryIO, me: tuple[str, ...] = ()) -> Survey:
    """Raises Unreadable."""
    known = with_colons(me)
    bracketed: bool | None = None
    dates: list[Date] = []
    people: dict[str, None] = {}
    slashes = capitals = padded = False
    for line in text_lines(file, longest=LONGEST_LINE):
        found = header_of(line)
        if found is None:
            continue
        header, rest = found
        bracketed = header.bracketed if bracketed is None else bracketed
        if header.bracketed is not bracketed:
            continue
        if not dates or dates[-1] != header.date:
            dates.append(header.date)
            slashes |= "/" in header.date_text
            padded |= header.is_padded
        capitals |= header.after in ("AM", "PM")
        spoken = speaker_of(rest, known)
        if spoken is not None and spoken[0] not in people:
            if len(people) == MOST_PEOPLE:
                raise Unreadable(SkipReason.UNKNOWN_FORMAT)
            people[spoken[0]] = None
    style = style_of(dates, has_slashes=slashes, has_capital_halves=capitals, is_padded=padded)
    if style is None or bracketed is None:
        raise Unreadable(SkipReason.UNKNOWN_FORMAT)
    return Survey(style=style, bracketed=bracketed, people=tuple(people))


def named(people: tuple[str, ...], me: tuple[str, ...]) -> frozenset[str]:
    """Those of the people who are the user."""
    mine = {same_name(name) for name in me}
    return frozenset(name for name in people if same_name(name) in mine)


def extract(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    seen = survey(file, facts.me)
    mine = named(seen.people, facts.me)
    if not mine:
        raise Unreadable(SkipReason.NOT_NAMED)
    others = ((_person(name), name) for name in seen.people if name not in mine)
    names = Names(others, me=facts.me)
    paths = Paths()
    for conversation in conversations(_messages(file, seen, mine, with_colons(facts.me))):
        latest = max((one.at for one in conversation if one.at is not None), default=None)
        document = document_of(
            conversation,
            path=paths.of("", conversation[0].stamp),
            names=names,
            about={"format": FORMAT},
            modified_at=latest,
        )
        if document is not None:
            yield document


def with_colons(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names that could not be told from the words after them else."""
    return tuple(name for name in names if ": " in name)


def _person(name: str) -> str:
    return f"_{name}"  # whatever somebody's name is, it is not ME


def _messages(
    file: BinaryIO, seen: Survey, mine: frozenset[str], known: tuple[str, ...]
) -> Iterator[Message]:
    header: Header | None = None
    lines: list[str] = []
    moments = _Moments(seen.style)
    for line in text_lines(file, longest=LONGEST_LINE):
        found = header_of(line)
        if found is not None and found[0].bracketed is seen.bracketed:
            if header is not None:
                yield from _message(moments.of(header), lines, seen, mine, known)
            header, lines = found[0], [found[1]]
        elif header is not None and len(lines) < MOST_MESSAGE_LINES:
            lines.append(line)
    if header is not None:
        yield from _message(moments.of(header), lines, seen, mine, known)


def _message(
    moment: tuple[float | None, str],
    lines: list[str],
    seen: Survey,
    mine: frozenset[str],
    known: tuple[str, ...],
) -> Iterator[Message]:
    spoken = speaker_of("\n".join(lines), known)
    if spoken is None:
        return
    name, text = spoken
    words = words_of(text, marks_own_lines=seen.bracketed)
    if words:
        own = name in mine
        person = ME if own else _person(name)
        yield Message(person=person, text=words, own=own, at=moment[0], stamp=moment[1])


class _Moments:
    """When each message was sent; one whose date does not exist, with the one before."""

    def __init__(self, style: DateStyle) -> None:
        self._style = style
        self._header: Header | None = None
        self._moment: tuple[float | None, str] = (None, "")

    def of(self, header: Header) -> tuple[float | None, str]:
        """Seconds of the telephone's own clock, and the same as text."""
        if header is not self._header:
            self._header = header
            half = header.after if is_half(header.after) else header.before
            moment = self._style.moment(header.date, time_of_day(*header.time, half))
            if moment is not None:
                seconds = (moment - _UNIX_EPOCH).total_seconds()
                self._moment = seconds, moment.isoformat(timespec="seconds")
        return self._moment
