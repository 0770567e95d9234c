"""Chats as exchanges: what the user said and what the assistant answered; to a document and back.
Pure.

A document of a conversation has two turns for each exchange, the user's own and the assistant's.
What the user said before, and was learned from another conversation, is context: not own. Keys of
the exchanges, keyed hashes as letters, stand beside the text, so that a conversation is known again
when it comes back longer.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from storage.records import CollectedDocument, SpokenTurn, StoredDocument

ME, ASSISTANT = "me", "assistant"
EXCHANGES = "exchanges"  # in what is known about a document
QUALITY, GOOD = "quality", "good"
KEY_LETTERS = 8  # of 16 kinds each; of what was said, and of all of it
_LETTERS = "abcdefghijklmnop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What the user said, in one message or some, and the whole answer."""

    said: str = field(repr=False)
    answer: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An exchange as it is kept."""

    key: str
    own: bool  # False: what the user said is learned elsewhere
    exchange: Exchange = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What a document holds."""

    path: str
    lines: tuple[Line, ...] = field(repr=False)
    good: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(line.key for line in self.lines)

    @property
    def teaches(self) -> bool:
        """Whether anything in it is the user's own."""
        return any(line.own for line in self.lines)

    def without(self, key: str) -> "Conversation":
        return replace(self, lines=tuple(line for line in self.lines if line.key != key))


def exchanges_of(messages: Iterable[tuple[str, str]], answer: str) -> list[Exchange]:
    """From what a client sent, (role, content) in order, and the answer; the newest is the last.

    System prompts are left out, and so is what an assistant said before anybody asked. Empty when
    the user said nothing to be answered.
    """
    found: list[Exchange] = []
    said: list[str] = []
    last: list[str] = []  # what the client put into the assistant's mouth, to be gone on with
    for role, content in messages:
        if role == "user":
            said, last = [*said, content], []
        elif role == "assistant":
            last = [content]
            if said:
                found.append(Exchange(said="\n".join(said), answer=content))
            said = []
    if said:
        found.append(Exchange(said="\n".join(said), answer=answer))
    elif last and found:
        found[-1] = replace(found[-1], answer=found[-1].answer + answer)
    else:
        return []
    newest = found[-1]
    return found if newest.said.strip() and newest.answer.strip() else []


def as_compared(text: str) -> str:
    """NFC, every run of white space one blank: how clients trim and join makes no difference."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def hashed_parts(exchange: Exchange) -> tuple[str, str]:
    """What the two halves of an exchange's key are hashes of."""
    said = as_compared(exchange.said)
    return said, f"{len(said)}:{said}{as_compared(exchange.answer)}"


def key_of(said: bytes, whole: bytes) -> str:
    """A key as it is kept, from the hashes of `hashed_parts`. Letters are no number or token that
    redaction would take out.
    """
    return _letters(said) + _letters(whole)


def same_question(one: str, other: str) -> bool:
    """Whether the user said the same in two exchanges, by their keys."""
    return one[:KEY_LETTERS] == other[:KEY_LETTERS]


def _letters(digest: bytes) -> str:
    nibbles = (half for byte in digest for half in (byte >> 4, byte & 15))
    return "".join(_LETTERS[nibble] for nibble, _ in zip(nibbles, range(KEY_LETTERS)))


# --------------------------------------------------------------------------- documents


def to_document(
    conversation: Conversation, *, source: str, modified_at: float
) -> CollectedDocument:
    pieces: list[str] = []
    turns: list[SpokenTurn] = []
    at = 0
    for line in conversation.lines:
        spoken = ((ME, line.own, line.exchange.said), (ASSISTANT, False, line.exchange.answer))
        for speaker, own, words in spoken:
            start = at + len(speaker) + 2
            turns.append(SpokenTurn(own=own, speaker=speaker, start=start, end=start + len(words)))
            pieces.append(f"{speaker}: {words}\n\n")
            at += len(pieces[-1])
    about = {EXCHANGES: " ".join(conversation.keys)}
    return CollectedDocument(
        source=source,
        path=conversation.path,
        modified_at=modified_at,
        text="".join(pieces),
        turns=tuple(turns),
        about=about | ({QUALITY: GOOD} if conversation.good else {}),
    )


def conversation_in(document: StoredDocument) -> Conversation | None:
    """None for a document that is no conversation of ours."""
    keys = document.about.get(EXCHANGES, "").split()
    turns = document.turns
    if not keys or len(turns) != 2 * len(keys):
        return None
    return Conversation(
        path=document.path,
        lines=tuple(
            Line(
                key=key,
                own=said.own,
                exchange=Exchange(said=_words(document, said), answer=_words(document, answer)),
            )
            for key, said, answer in zip(keys, turns[::2], turns[1::2], strict=True)
        ),
        good=document.about.get(QUALITY) == GOOD,
    )


def keys_in(document: StoredDocument) -> Sequence[str]:
    return document.about.get(EXCHANGES, "").split()


def _words(document: StoredDocument, turn: SpokenTurn) -> str:
    return document.text[turn.start : turn.end]
