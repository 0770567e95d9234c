"""Pieces of stored text to look for: taken at random, telling enough to be nobody else's. Pure.

A snippet stands within one line, holds words, and is long enough that finding it somewhere is no
accident. Knows nothing of where it is looked for.
"""

import json
import random
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

LEAST_CHARACTERS = 24
MOST_CHARACTERS = 48
LEAST_DIFFERENT = 8  # characters; a line of dashes says nothing
PER_DOCUMENT = 4
TRIALS = 40  # places in a document that are tried for them
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A piece of one document, and every way in which a program could have written it."""

    document: int
    text: str = field(repr=False)
    forms: frozenset[bytes] = field(repr=False)


def snippets_of(document: int, text: str, rng: random.Random) -> list[Snippet]:
    """Up to `PER_DOCUMENT` different ones; none where the text is too short or says nothing."""
    found: dict[str, Snippet] = {}
    for _ in range(TRIALS if len(text) >= LEAST_CHARACTERS else 0):
        piece = _piece_at(text, rng.randrange(len(text) - LEAST_CHARACTERS + 1))
        if tells(piece) and piece not in found:
            found[piece] = Snippet(document=document, text=piece, forms=forms_of(piece))
            if len(found) == PER_DOCUMENT:
                break
    return list(found.values())


def tells(piece: str) -> bool:
    """Whether finding this piece somewhere would mean something."""
    letters = sum(character.isalpha() for character in piece)
    return (
        len(piece) >= LEAST_CHARACTERS
        and len(set(piece.casefold())) >= LEAST_DIFFERENT
        and 2 * letters >= len(piece)
    )


def forms_of(piece: str) -> frozenset[bytes]:
    """In the encodings and normal forms of other programs, and as JSON escapes it."""
    forms = {piece, *(unicodedata.normalize(form, piece) for form in ("NFC", "NFD"))}
    forms |= {json.dumps(form)[1:-1] for form in forms}
    return frozenset(
        form.encode(encoding, "surrogatepass") for form in forms for encoding in ENCODINGS
    )


def all_forms(snippets: Iterable[Snippet]) -> frozenset[bytes]:
    return frozenset(form for snippet in snippets for form in snippet.forms)


def _piece_at(text: str, start: int) -> str:
    """From there to the end of the line, at most; blanks at both ends go."""
    return text[start : start + MOST_CHARACTERS].partition("\n")[0].strip()
