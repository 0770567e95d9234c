"""Exports of WhatsApp: one chat as lines of text, in the language and date style of a telephone.

Read twice: dates tell their order, and names who is to have a pseudonym, only when all are seen.
What is neither Gregorian nor Buddhist, or has no lines that begin as messages do, is not guessed
at: `unknown_format`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from daemon.collecting.skipping import SkipReason
from daemon.extracting.chat_conversations import ME, Message, Paths, conversations, document_of
from daemon.extracting.chat_names import Names, same_name
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.text_pieces import text_lines
from daemon.extracting.whatsapp_dates import Date, DateStyle, style_of, time_of_day
from daemon.extracting.whatsapp_lines import Header, header_of, is_padded, speaker_of
from daemon.extracting.whatsapp_words import words_of

MOST_PEOPLE = 20_000
MOST_MESSAGE_LINES = 20_000
LONGEST_LINE = 200_000
_FIRST_LINES = 20  # in which a chat has begun
FORMAT = "whatsapp"

Moment = tuple[float | None, str]  # seconds of the telephone's own clock, and the same as text


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
    before = ""
    for line in text_lines(file, longest=LONGEST_LINE):
        header = header_of(line)
        if header is None:
            continue
        bracketed = header.bracketed if bracketed is None else bracketed
        if header.bracketed is not bracketed:
            continue
        date = line[header.date]
        if date != before:
            before = date
            dates.append(header.date_in(line))
            slashes |= "/" in date
            padded |= is_padded(date)
        capitals |= header.after in ("AM", "PM")
        spoken = speaker_of(line[header.end :], known)
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
    moment: Moment | None = None
    lines: list[str] = []
    moments = _Moments(seen.style)
    for line in text_lines(file, longest=LONGEST_LINE):
        header = header_of(line)
        if header is not None and header.bracketed is seen.bracketed:
            if moment is not None:
                message = _message(moment, lines, seen, mine, known)
                if message is not None:
                    yield message
            moment, lines = moments.of(header, line), [line[header.end :]]
        elif moment is not None and len(lines) < MOST_MESSAGE_LINES:
            lines.append(line)
    if moment is not None:
        message = _message(moment, lines, seen, mine, known)
        if message is not None:
            yield message


def _message(
    moment: Moment,
    lines: list[str],
    seen: Survey,
    mine: frozenset[str],
    known: tuple[str, ...],
) -> Message | None:
    """None where nobody says anything."""
    spoken = speaker_of("\n".join(lines) if len(lines) > 1 else lines[0], known)
    if spoken is None:
        return None
    name, text = spoken
    words = words_of(text, marks_own_lines=seen.bracketed)
    if not words:
        return None
    own = name in mine
    person = ME if own else _person(name)
    return Message(person=person, text=words, own=own, at=moment[0], stamp=moment[1])


class _Moments:
    """When each message was sent; one whose date does not exist, with the one before."""

    def __init__(self, style: DateStyle) -> None:
        self._style = style
        self._moment: Moment = (None, "")

    def of(self, header: Header, line: str) -> Moment:
        time = header.time_in(line)
        if header.half:
            time = time_of_day(*time, header.half)
        moment = self._style.moment(header.date_in(line), time)
        if moment is not None:
            self._moment = moment
        return self._moment
