"""Messages of a chat to conversations, and conversations to documents with their turns.

A conversation ends where nobody said anything for hours, or where it is long enough. What others
said is kept only as far as it leads to something the user said: a conversation in which the user
says nothing gives no document, and none goes on after the user's last words. The first messages
alone decide where the first conversations end, so when a chat has grown only its last one differs.
Knows nothing of the formats of exports.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from daemon.extracting.chat_names import Names, Pseudonyms
from daemon.extracting.extracted import Extracted
from storage.records import SpokenTurn

ME = "me"
ASSISTANT = "assistant"
PAUSE_SECONDS = 6 * 3600.0  # of silence end a conversation
SHORT_PAUSE_SECONDS = 1800.0  # end one of LONG_CHARACTERS
LONG_CHARACTERS = 6_000
MOST_CHARACTERS = 12_000
MOST_MESSAGE_CHARACTERS = 100_000  # nobody says more at once: a file that was pasted
MOST_DOCUMENT_CHARACTERS = 200_000  # which no conversation has that was cut as above
_UNWANTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_BETWEEN_TURNS = "\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What somebody said at once. `person` tells speakers apart and is not shown; ME is the user,
    ASSISTANT a model.

    `at` is in seconds of any one clock; None where it is not known. `stamp` names the time in a
    document's path.
    """

    person: str = field(repr=False)
    text: str = field(repr=False)
    own: bool
    at: float | None
    stamp: str = ""


def conversations(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Cut a chat, whose messages come in its order, into conversations."""
    held: list[Message] = []
    characters = 0
    latest: float | None = None
    for message in messages:
        if held and _ends(characters, latest, message):
            yield held
            held, characters = [], 0
        held.append(message)
        characters += len(message.text)
        if message.at is not None and (latest is None or message.at > latest):
            latest = message.at  # a clock that was set back ends nothing
    if held:
        yield held


def _ends(characters: int, latest: float | None, message: Message) -> bool:
    if characters + len(message.text) > MOST_CHARACTERS:
        return True
    if latest is None or message.at is None:
        return False
    pause = message.at - latest
    return pause >= PAUSE_SECONDS or (characters > LONG_CHARACTERS and pause >= SHORT_PAUSE_SECONDS)


class Paths:
    """What tells the conversations of one file apart: the chat's key and a time or a number."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}

    def of(self, key: str, stamp: str) -> str:
        path = "/".join(part for part in (key, stamp) if part)
        count = self._times[path] = self._times.get(path, 0) + 1
        return path if count == 1 else f"{path}/{count}"


def document_of(
    conversation: Iterable[Message],
    *,
    path: str,
    names: Names | None = None,
    about: Mapping[str, str] | None = None,
    modified_at: float | None = None,
) -> Extracted | None:
    """One conversation as it is kept; None where the user says nothing in it, or far too much."""
    pseudonyms = Pseudonyms()
    turns: list[tuple[str, bool, str]] = []
    for message in conversation:
        text = said(message.text)
        if not text or len(text) > MOST_MESSAGE_CHARACTERS:
            continue
        fixed = message.person in (ME, ASSISTANT)
        speaker = message.person if fixed else pseudonyms.of(message.person)
        text = names.replaced(text, pseudonyms) if names is not None else text
        if turns and turns[-1][:2] == (speaker, message.own):
            text = f"{turns.pop()[2]}\n{text}"
        turns.append((speaker, message.own, text))
    while turns and not turns[-1][1]:
        turns.pop()
    if not turns:
        return None
    text, spans = _transcript(turns)
    if len(text) > MOST_DOCUMENT_CHARACTERS:
        return None
    return Extracted(
        path_suffix=path, text=text, turns=spans, about=about or {}, modified_at=modified_at
    )


def said(text: str) -> str:
    """Words without what no keyboard makes and without space around them."""
    return _UNWANTED.sub("", text.replace("\r\n", "\n")).strip()


def _transcript(turns: Iterable[tuple[str, bool, str]]) -> tuple[str, tuple[SpokenTurn, ...]]:
    """`speaker: words`, one turn after the other, and where the words are."""
    pieces: list[str] = []
    spans: list[SpokenTurn] = []
    at = 0
    for speaker, own, words in turns:
        opening = f"{_BETWEEN_TURNS if pieces else ''}{speaker}: "
        start = at + len(opening)
        at = start + len(words)
        pieces += opening, words
        spans.append(SpokenTurn(own=own, speaker=speaker, start=start, end=at))
    return "".join(pieces), tuple(spans)
