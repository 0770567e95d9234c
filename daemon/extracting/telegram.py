"""Exports of Telegram Desktop: one chat or the whole account as JSON, read message by message.

Read twice: names who is to have a pseudonym are known only when all is seen. Forwarded messages and
those a bot made are nobody's words here; service messages, polls and places have no words.
"""

import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from daemon.collecting.skipping import SkipReason
from daemon.extracting.chat_conversations import ME, Message, Paths, conversations, document_of
from daemon.extracting.chat_names import Names, same_name
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.json_stream import DamagedJson, JsonStream
from daemon.extracting.text_pieces import text_pieces

FORMAT = "telegram"
MOST_PEOPLE = 200_000
_NOBODYS = ("forwarded_from", "forwarded_from_id", "via_bot", "saved_from")
_CALLS = {"mention": "@⁨{}⁩", "mention_name": "@⁨{}⁩"}
_LATEST = 1 << 33  # seconds since the epoch; the year 2242
_UNIX_EPOCH = datetime.datetime(1970, 1, 1)


@dataclass(slots=True, kw_only=True)
class Chat:
    """One chat, as far as it was read. `people` are ids and the names that each of them has."""

    number: int
    key: str
    people: dict[str, set[str]] = field(default_factory=dict, repr=False)


def survey(file: BinaryIO) -> tuple[dict[int, Chat], bool]:
    """The chats by their number, and whether the file is whole.

    Raises:
        Unreadable: no chats in it.
    """
    chats: dict[int, Chat] = {}
    people = 0
    whole = True
    try:
        for chat, message in _messages(JsonStream(text_pieces(file))):
            chats.setdefault(chat.number, chat)
            names = chat.people.setdefault(_person(message), set())
            name = message.get("from")
            if isinstance(name, str) and name not in names:
                names.add(name)
                people += 1
                if people > MOST_PEOPLE:
                    raise Unreadable(SkipReason.UNKNOWN_FORMAT)
    except DamagedJson:
        whole = False
    if not chats:
        raise Unreadable(SkipReason.NO_TEXT if whole else SkipReason.DAMAGED)
    return chats, whole


def named(people: dict[str, set[str]], me: tuple[str, ...]) -> frozenset[str]:
    """The ids of those who are the user, by a name or by the id itself."""
    mine = {same_name(name) for name in me} | {same_name(name.lstrip("@")) for name in me}
    return frozenset(
        person
        for person, names in people.items()
        if person.casefold() in mine or any(same_name(name) in mine for name in names)
    )


def extract(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    chats, whole = survey(file)
    mine = {number: named(chat.people, facts.me) for number, chat in chats.items()}
    if not any(mine.values()):
        raise Unreadable(SkipReason.NOT_NAMED)
    paths = Paths()
    for chat, messages in _by_chat(JsonStream(text_pieces(file))):
        own = mine.get(chat.number, frozenset())
        if not own:
            for _ in messages:
                pass
            continue
        names = _names(chats[chat.number], own, facts.me)
        said = (one for one in (_said(message, own) for message in messages) if one is not None)
        for conversation in conversations(said):
            document = document_of(
                conversation,
                path=paths.of(chat.key, conversation[0].stamp),
                names=names,
                about={"format": FORMAT},
                modified_at=max((m.at for m in conversation if m.at is not None), default=None),
            )
            if document is not None:
                yield document
    if not whole:
        raise Unreadable(SkipReason.DAMAGED)


def _names(chat: Chat, mine: frozenset[str], me: tuple[str, ...]) -> Names:
    others = ((p, name) for p, names in chat.people.items() if p not in mine for name in names)
    own = {name for person in mine for name in chat.people[person]}
    return Names(others, me=(*me, *(name.lstrip("@") for name in me), *own))


def _by_chat(stream: JsonStream) -> Iterator[tuple[Chat, Iterator[dict[str, Any]]]]:
    """Each chat with its messages, to be taken before the next chat; what is whole of them."""
    pairs = _until_damaged(_messages(stream))
    held = next(pairs, None)

    def of(chat: Chat) -> Iterator[dict[str, Any]]:
        nonlocal held
        while held is not None and held[0] is chat:
            message = held[1]
            held = next(pairs, None)
            yield message

    while held is not None:
        yield held[0], of(held[0])


def _until_damaged(
    pairs: Iterator[tuple[Chat, dict[str, Any]]],
) -> Iterator[tuple[Chat, dict[str, Any]]]:
    try:
        yield from pairs
    except DamagedJson:
        return


def _messages(stream: JsonStream) -> Iterator[tuple[Chat, dict[str, Any]]]:
    """Every message that somebody wrote, with its chat. Raises DamagedJson."""
    if stream.opens() != "{":
        raise DamagedJson
    number = 0
    top = Chat(number=number, key="")
    for name in stream.members():
        if name in ("chats", "left_chats") and stream.opens() == "{":
            for part in stream.members():
                if part != "list" or stream.opens() != "[":
                    stream.skip()
                    continue
                for _ in stream.elements():
                    number += 1
                    yield from _one_chat(stream, number)
        else:
            yield from _member(stream, name, top)


def _one_chat(stream: JsonStream, number: int) -> Iterator[tuple[Chat, dict[str, Any]]]:
    if stream.opens() != "{":
        stream.skip()
        return
    chat = Chat(number=number, key=f"{number}")
    for name in stream.members():
        yield from _member(stream, name, chat)


def _member(stream: JsonStream, name: str, chat: Chat) -> Iterator[tuple[Chat, dict[str, Any]]]:
    if name == "id":
        key = stream.value()
        chat.key = str(key)[:40] if isinstance(key, int | str) else chat.key
    elif name == "messages" and stream.opens() == "[":
        for _ in stream.elements():
            message = stream.value()
            if isinstance(message, dict) and message.get("type") == "message":
                yield chat, message
    else:
        stream.skip()


def _said(message: dict[str, Any], mine: frozenset[str]) -> Message | None:
    if any(message.get(sign) for sign in _NOBODYS):
        return None
    text = _text(message.get("text"))
    if not text.strip():
        return None
    person = _person(message)
    at, stamp = _time(message)
    own = person in mine
    return Message(person=ME if own else person, text=text, own=own, at=at, stamp=stamp)


def _person(message: dict[str, Any]) -> str:
    """An id is one person's for good; a name is what is left in very old exports."""
    person = message.get("from_id")
    if isinstance(person, str | int) and person:
        return (
            f"{person}" if f"{person}".startswith(("user", "channel", "chat")) else f"user{person}"
        )
    name = message.get("from")
    return f"name {name}" if isinstance(name, str) else "name"


def _text(text: Any) -> str:
    """Text is a string, or a list of strings and of objects with a `type`."""
    if isinstance(text, str):
        return text
    pieces: list[str] = []
    for part in text if isinstance(text, list) else ():
        if isinstance(part, str):
            pieces.append(part)
        elif isinstance(part, dict) and isinstance(words := part.get("text"), str):
            called = _CALLS.get(str(part.get("type")))
            pieces.append(called.format(words.lstrip("@")) if called and words else words)
    return "".join(pieces)


def _time(message: dict[str, Any]) -> tuple[float | None, str]:
    """Seconds since the epoch and the same as text; as far as the export says so."""
    unix = message.get("date_unixtime")
    try:
        at = float(unix) if isinstance(unix, str | int) else math.nan
    except (ValueError, OverflowError):
        at = math.nan
    if not 0 < at < _LATEST:
        date = message.get("date")
        try:
            moment = datetime.datetime.fromisoformat(date if isinstance(date, str) else "")
        except ValueError:
            return None, ""
        at = (moment.replace(tzinfo=None) - _UNIX_EPOCH).total_seconds()
    moment = _UNIX_EPOCH + datetime.timedelta(seconds=at)
    return at, moment.isoformat(timespec="seconds")
