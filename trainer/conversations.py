"""Who said what, through the base's chat template, with a mask of what is learned.

Only own turns are targets. A turn stands where its role says; without a role the user's own words
are put where the template has the assistant's, since that is the voice the base speaks with.
Templates are a base's own: one that refuses an order is given an empty user first, and where it
refuses all the same the words are learned without it.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from trainer.errors import BadMessages
from trainer.examples import Mask, TokenIds, Turn

USER, ASSISTANT = "user", "assistant"


class ChatEncoder(Protocol):
    """What conversations need of a tokenizer; contents never become special tokens."""

    def encode_document(self, text: str) -> list[int]:
        """Begin mark (if the base has one), tokens, end mark."""
        ...

    def encode_chat(self, messages: Sequence[tuple[str, str]], *, reply_follows: bool) -> list[int]:
        """(role, content) pairs through the chat template. Raises `BadMessages`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What the template has as one. Only `own` ones are targets of the loss."""

    role: str
    text: str = field(repr=False)
    own: bool


def role_of(turn: Turn) -> str:
    return turn.role or (ASSISTANT if turn.own else USER)


def messages_of(turns: Iterable[Turn]) -> list[Message]:
    """Turns of one role in a row are one message, own where all of them are; empty ones none."""
    found: list[Message] = []
    for turn in turns:
        if not turn.text.strip():
            continue
        one = Message(role=role_of(turn), text=turn.text, own=turn.own)
        if found and found[-1].role == one.role:
            before = found.pop()
            text, own = f"{before.text}\n{one.text}", before.own and one.own
            one = Message(role=one.role, text=text, own=own)
        found.append(one)
    return found


def conversation_tokens(messages: Sequence[Message], encoder: ChatEncoder) -> tuple[TokenIds, Mask]:
    """Encode messages through the chat template and mask all but the own words and their ends.

    Returns:
        ids and mask, both (tokens,).
    """
    for opening in ([], [(USER, "")]):
        try:
            return _rendered(messages, opening, encoder)
        except BadMessages:
            continue
    return _without_template(messages, encoder)


def _rendered(
    messages: Sequence[Message], opening: Sequence[tuple[str, str]], encoder: ChatEncoder
) -> tuple[TokenIds, Mask]:
    """The template is rendered once per message; what one adds to what asks for it is the message.

    A template that rewrites earlier messages would make that untrue: then those before are context.
    """
    said = list(opening)
    ids: list[int] = []
    spans: list[tuple[int, int]] = []
    for message in messages:
        longer = encoder.encode_chat([*said, (message.role, message.text)], reply_follows=False)
        if longer[: len(ids)] != ids:
            spans.clear()
        if message.own:
            prompt = _prompt(said, message, longer, encoder)
            if longer[: len(prompt)] == prompt:
                spans.append((len(prompt), len(longer)))
        said.append((message.role, message.text))
        ids = longer
    mask = np.zeros(len(ids), dtype=np.bool_)
    for start, end in spans:
        mask[start:end] = True
    return np.asarray(ids, dtype=np.int32), mask


def _prompt(
    said: Sequence[tuple[str, str]], message: Message, longer: Sequence[int], encoder: ChatEncoder
) -> list[int]:
    """What stands before the first word of a message: what asks for an answer, or, where nothing
    was said before or the user speaks, what it shares with a message without words.
    """
    if said and message.role == ASSISTANT:
        return encoder.encode_chat(said, reply_follows=True)
    wordless = encoder.encode_chat([*said, (message.role, "")], reply_follows=False)
    shared = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(longer, wordless))
    return [token for token, _ in shared]


def _without_template(messages: Sequence[Message], encoder: ChatEncoder) -> tuple[TokenIds, Mask]:
    """Each message as a text of its own, end to end."""
    ids: list[int] = []
    mask: list[bool] = []
    for message in messages:
        text = encoder.encode_document(message.text)
        ids += text
        mask += [message.own and place > 0 for place in range(len(text))]
    return np.asarray(ids, dtype=np.int32), np.asarray(mask, dtype=np.bool_)
