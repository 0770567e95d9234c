"""A text as the rules of `quality.py` look at it: its lines, its letters, and what is its user's.

Of a long text beginning, middle and end are looked at, so that a rule costs the same for a novel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from storage.records import SpokenTurn
from trainer.shingles import unspaced, words

LOOKED_AT = 20_000  # characters of each of the three parts
LINE_CHARACTERS = 120  # of a line that a pattern is tried on
LINES = 250  # that patterns are tried on
VARIETY_CHARACTERS = 2000
UNSPACED_PER_WORD = 1.6  # characters of a script without spaces that say what a word says


@dataclass(frozen=True, kw_only=True)  # without slots: what is counted is counted once
class JudgedText:
    """Made by `judged`; nothing of it leaves the process."""

    text: str = field(repr=False)  # what is looked at
    own_text: str = field(repr=False)  # the user's own part of that
    own: bool  # of the user's own writing, not what others wrote
    spoken: bool  # by several speakers, in turns
    own_share: float  # of all characters that are spoken; 1 or 0 where nobody speaks
    rating: str  # what the user said of it: "good", "bad" or nothing

    @cached_property
    def lines(self) -> list[str]:
        """Lines with something on them."""
        return [line for line in self.text.splitlines() if line.strip()]

    @cached_property
    def starts(self) -> list[str]:
        """Lines from all over the text, as much as patterns look at."""
        every = -(-len(self.lines) // LINES) or 1
        return [line[:LINE_CHARACTERS] for line in self.lines[::every]]

    @cached_property
    def parts(self) -> list[str]:
        """What stands between blanks."""
        return self.text.split()

    @cached_property
    def first_own_words(self) -> list[str]:
        """Folded, as many as tell how varied they are."""
        return words(self.own_text[:VARIETY_CHARACTERS])

    @cached_property
    def length(self) -> float:
        """The user's own words; in scripts without spaces, about how many those would be."""
        single = unspaced(self.own_text)
        long = len(self.own_text) > VARIETY_CHARACTERS and not single
        spaced = self.own_text.split() if long else words(self.own_text)
        return len(spaced) - single + single / UNSPACED_PER_WORD

    def share_of_lines(self, holds: Sequence[bool]) -> float:
        return sum(holds) / len(holds) if holds else 0.0


def judged(
    text: str, *, own: bool = True, turns: Sequence[SpokenTurn] = (), about: Mapping[str, str]
) -> JudgedText:
    """What the rules look at.

    Args:
        own: whether it is the user's own writing; see `StoredDocument`.
        turns: who says what, if it is spoken. Then only own turns are the user's.
        about: of which `quality` counts.
    """
    looked_at = _parts(text)
    own_text = looked_at
    own_share = 1.0 if own else 0.0
    if turns:
        own_text = _parts("\n".join(text[turn.start : turn.end] for turn in turns if turn.own))
        said = sum(turn.end - turn.start for turn in turns)
        own_share = sum(turn.end - turn.start for turn in turns if turn.own) / max(1, said)
    return JudgedText(
        text=looked_at,
        own_text=own_text,
        own=own,
        spoken=bool(turns),
        own_share=own_share,
        rating=about.get("quality", ""),
    )


def _parts(text: str) -> str:
    if len(text) <= 3 * LOOKED_AT:
        return text
    middle = (len(text) - LOOKED_AT) // 2
    parts = text[:LOOKED_AT], text[middle : middle + LOOKED_AT], text[-LOOKED_AT:]
    return "\n".join(parts)
