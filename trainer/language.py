"""The language of a text, as a tag.

py3langid with its own model (a naive Bayes over bytes, 142 labels; 75 MB and most of a second to
load, so only the short-lived child does). What is too short to tell stays undetermined.
"""

from functools import cache
from typing import Any

from trainer.curation_facts import UNDETERMINED
from trainer.shingles import unspaced

LOOKED_AT = 200  # characters, from the beginning and as many from the middle of a longer text
LEAST_LETTERS = 24  # in scripts with spaces; a character of the others says more
LEAST_LETTERS_UNSPACED = 8
SURE = 0.5


def language(text: str) -> str:
    """The tag of the language that most of a text is in, or `UNDETERMINED`."""
    some = text[:LOOKED_AT]
    if len(text) > 3 * LOOKED_AT:
        middle = len(text) // 2
        some = f"{some}\n{text[middle : middle + LOOKED_AT]}"
    letters = sum(map(str.isalpha, some))
    least = LEAST_LETTERS_UNSPACED if unspaced(some) * 2 > letters else LEAST_LETTERS
    if letters < least:
        return UNDETERMINED
    tag, probability = _identifier().classify(some)
    return str(tag) if probability >= SURE else UNDETERMINED


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
