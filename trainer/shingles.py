"""A text as overlapping runs of words, which is how two texts are compared.

Words are compared as they are read: compatibility forms and capitals make no difference, nor do
punctuation and line breaks. Where a script has no spaces each character is a word.
"""

import re
import unicodedata
from collections.abc import Sequence

# Scripts without spaces between words: Thai to Myanmar, Khmer, kana, Han (with its extensions).
# Hangul has spaces.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
MOST_CHARACTERS = 2_000_000  # once folded: one character can become eighteen
_UNSPACED = re.compile(f"[{UNSPACED}]")
_WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")


def words(text: str) -> list[str]:
    """The words of a text, folded."""
    folded = unicodedata.normalize("NFKC", text)[:MOST_CHARACTERS].casefold()
    return _WORD.findall(folded)


def unspaced(text: str) -> int:
    """How many characters are of scripts without spaces."""
    return 0 if text.isascii() else len(_UNSPACED.findall(text))


def shingles(found: Sequence[str], length: int) -> list[str]:
    """Every run of so many words; a text with fewer is one run."""
    if len(found) <= length:
        return [" ".join(found)] if found else []
    return [" ".join(run) for run in zip(*(found[start:] for start in range(length)))]
