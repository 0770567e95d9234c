"""Letterheads, footers, 'Sent from my phone': lines that very many texts have, cut from them.

Among the texts of one night, or of those that judge it. A line counts by its folded words, once in
each text, and in a conversation only where the user speaks. A text, or a turn, of which less than a
fifth would be left stays whole, so nothing becomes empty here; files of nothing but such lines are
left out before a night (`fact_finding.py`). Lines that fewer have lower a text's worth there and
are learned: they may be how this person ends a letter.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import chain

from trainer.examples import SourceText, Turn
from trainer.shingles import words

LINE_WORDS = 4  # a shorter line is a greeting
MANY_LEAST, MANY_SHARE, MANY_MOST = 12, 0.05, 100  # texts that have to have a line
MOSTLY_SHARED = 0.8  # of a text that stands in many others, from which on it teaches nothing

Span = tuple[int, int]


def many(texts: int) -> int:
    """How many of these texts have to have a line."""
    return min(MANY_MOST, max(MANY_LEAST, round(MANY_SHARE * texts)))


def without_shared_lines(texts: Sequence[SourceText]) -> list[SourceText]:
    """The same texts, without the lines that many of them have."""
    found = Counter(chain.from_iterable(_keys(text) for text in texts))
    least = many(len(texts))
    common = frozenset(key for key, count in found.items() if count >= least)
    return [_cut(text, common) for text in texts] if common else list(texts)


def _keys(source: SourceText) -> set[int]:
    told = [source.text or "", *(turn.text for turn in source.turns if turn.own)]
    return {key for text in told for line in text.splitlines() if (key := _key(line))}


def _key(line: str) -> int:
    """A hash, for this process only; 0 for a line that does not count."""
    folded = words(line)
    return hash(" ".join(folded)) if len(folded) >= LINE_WORDS else 0


def _cut(source: SourceText, common: Collection[int]) -> SourceText:
    if source.text is None:
        turns = tuple(_cut_turn(turn, common) if turn.own else turn for turn in source.turns)
        return replace(source, turns=turns)
    spans = _kept(source.text, common)
    fresh = source.fresh or (0, len(source.text))
    if not _enough(source.text, fresh, spans):
        return source
    text = "".join(source.text[start:end] for start, end in spans)
    moved = None if source.fresh is None else (_before(fresh[0], spans), _before(fresh[1], spans))
    return replace(source, text=text, fresh=moved)


def _cut_turn(turn: Turn, common: Collection[int]) -> Turn:
    spans = _kept(turn.text, common)
    if not _enough(turn.text, (0, len(turn.text)), spans):
        return turn
    return replace(turn, text="".join(turn.text[start:end] for start, end in spans))


def _kept(text: str, common: Collection[int]) -> list[Span]:
    """The lines that stay, and one blank line at most where something is cut; none at the end."""
    kept: list[Span] = []
    at, blank, cut = 0, True, False  # `blank`: before this line; `cut`: since one that stayed
    for line in text.splitlines(keepends=True):
        at, start = at + len(line), at
        if _key(line) in common:
            cut = True
        elif line.strip():
            kept.append((start, at))
            blank = cut = False
        elif not (cut and blank):
            kept.append((start, at))
            blank = True
    while cut and kept and not text[slice(*kept[-1])].strip():
        del kept[-1]
    return kept


def _enough(text: str, fresh: Span, spans: Sequence[Span]) -> bool:
    """Whether of what is new enough stays to teach something."""
    start, end = fresh
    whole = _letters(text[start:end])
    left = sum(_letters(text[max(start, one) : min(end, other)]) for one, other in spans)
    return left > (1 - MOSTLY_SHARED) * whole


def _letters(text: str) -> int:
    return sum(map(len, text.split()))


def _before(place: int, spans: Sequence[Span]) -> int:
    """Where in the text that is left a place of the whole one is."""
    return sum(max(0, min(place, end) - start) for start, end in spans)
