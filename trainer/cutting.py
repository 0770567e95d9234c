"""Where a text may be cut: before paragraphs, else before sentences. Tokens and bytes only.

Long texts become pieces that fit a row and begin with a paragraph. A paragraph that no row holds is
cut between its sentences, and only a sentence that no row holds anywhere. Pure.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

PARAGRAPH = re.compile(rb"\n[ \t\r]*\n\s*")
# after a stop and what closes a quotation, or where a line begins; 。！？ need no blank after them
SENTENCE = re.compile(
    rb"(?:[.!?]|\xe2\x80\xa6)(?:[\"')\]]|\xe2\x80[\x99\x9d]|\xc2\xbb)*\s+"
    rb"|\xe3\x80\x82|\xef\xbc[\x81\x9f]|\n\s*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Borders:
    """Tokens with which a paragraph or a sentence begins, in order; each paragraph is in both."""

    paragraphs: tuple[int, ...]
    sentences: tuple[int, ...]


def borders(tokens: Iterable[bytes]) -> Borders:
    """Of a text that is given as the bytes of its tokens, marks as nothing."""
    pieces = list(tokens)
    text = b"".join(pieces)
    starts = [0, *accumulate(map(len, pieces))]
    paragraphs = _tokens_after(PARAGRAPH, text, starts)
    sentences = _tokens_after(SENTENCE, text, starts)
    return Borders(
        paragraphs=tuple(sorted(paragraphs)), sentences=tuple(sorted(paragraphs | sentences))
    )


def borders_in(text: str) -> Borders:
    """The same of a text, by characters."""
    return borders(letter.encode("utf-8", "surrogatepass") for letter in text)


def cuts(tokens: int, found: Borders, most: int) -> list[tuple[int, int]]:
    """Pieces of at most `most` tokens, as (start, end); together they are the whole.

    A piece ends before a paragraph where one begins in the second half of its room, else before a
    sentence there, else where the room ends.
    """
    pieces: list[tuple[int, int]] = []
    start = 0
    while tokens - start > most:
        least, end = start + max(1, most // 2), start + most
        places = (last_within(some, least, end) for some in (found.paragraphs, found.sentences))
        cut = next((place for place in places if place is not None), end)
        pieces.append((start, cut))
        start = cut
    return [*pieces, (start, tokens)] if tokens > start else pieces


def last_within(places: Sequence[int], least: int, most: int) -> int | None:
    """The last of these between the two, both included."""
    index = bisect_right(places, most)
    return places[index - 1] if index and places[index - 1] >= least else None


def _tokens_after(mark: re.Pattern[bytes], text: bytes, starts: Sequence[int]) -> set[int]:
    """The tokens that hold what follows each mark; a blank may belong to the token after it."""
    places = (found.end() for found in mark.finditer(text))
    return {bisect_right(starts, place) - 1 for place in places if 0 < place < len(text)} - {0}
