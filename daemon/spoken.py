"""A document as the engine is given it: running text, or who said what. Pure.

Where an assistant speaks, everybody has the role of the template that they had then, so that what
the user asked does not become the assistant's voice. Elsewhere the turns have no roles, and the
user's own words are learned as the assistant's (`trainer/conversations.py`).
"""

from typing import Any

from storage.records import SpokenTurn, StoredDocument

ASSISTANT = "assistant"  # the speaker, and the template's word for it
USER = "user"


def is_called_good(document: StoredDocument) -> bool:
    """Whether the user said so of a chat."""
    return document.about.get("quality") == "good"


def learned(document: StoredDocument, fresh: tuple[int, int] | None = None) -> dict[str, Any]:
    """`text`, or `turns` of [own, text, role or None]; what stands between turns is left out. What
    others wrote is running text, whoever speaks in it: it is read whole.

    Args:
        fresh: the stretch that is new, in characters, of a document that was learned before. The
            engine is told it as `fresh`: in characters of `text`, or the first of the `turns` that
            are new and the first after them.
    """
    return _whole(document) | _fresh(document, fresh)


def _fresh(document: StoredDocument, fresh: tuple[int, int] | None) -> dict[str, Any]:
    if fresh is None:
        return {}
    start, end = fresh
    if not (document.turns and document.own):
        return {"fresh": [start, end]}
    known = sum(turn.end <= start for turn in document.turns)
    later = sum(turn.start >= end for turn in document.turns)
    return {"fresh": [known, max(known, len(document.turns) - later)]}


def _whole(document: StoredDocument) -> dict[str, Any]:
    if not (document.turns and document.own):
        return {"text": document.text}
    roles = any(turn.speaker == ASSISTANT for turn in document.turns)
    return {
        "turns": [
            [turn.own, document.text[turn.start : turn.end], _role(turn) if roles else None]
            for turn in document.turns
        ]
    }


def _role(turn: SpokenTurn) -> str:
    return ASSISTANT if turn.speaker == ASSISTANT else USER
