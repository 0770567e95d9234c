"""What was said, one after the other, as one text with its turns. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from storage.records import SpokenTurn

CONTEXT_CHARS = 6_000  # of what somebody else wrote: it is there to be answered, not to be learned


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    own: bool
    speaker: str
    text: str = field(repr=False)


def spoken(said: Iterable[Said]) -> tuple[str, tuple[SpokenTurn, ...]]:
    """Text and turns; no turns where nobody else says anything, which is running text."""
    text, turns, others = "", [], False
    for one in said:
        if not one.text:
            continue
        text += "\n\n" if text else ""
        start = len(text)
        text += one.text
        turns.append(SpokenTurn(own=one.own, speaker=one.speaker, start=start, end=len(text)))
        others = others or not one.own
    return text, tuple(turns) if others else ()


def context_of(text: str) -> str:
    """The beginning, up to the border of a paragraph or at least of a word."""
    if len(text) <= CONTEXT_CHARS:
        return text
    head = text[:CONTEXT_CHARS]
    for border in ("\n\n", "\n", " "):
        at = head.rfind(border)
        if at > CONTEXT_CHARS // 2:
            return head[:at].rstrip()
    return head
