"""Copies among invented letters of one author: how many are found, and what is called one wrongly.

The letters share greetings, phrases and favourite sentences, as those of one person do. Half of
them have a copy: its paragraphs in another order, or every twelfth word another one.
"""

import random
from dataclasses import dataclass

from storage.bench.texts import documents
from trainer.near_duplicates import signature, twins
from trainer.shingles import words

FAVOURITES = 60  # sentences that come again and again
SENTENCES = 14  # of a letter; a fifth of them are favourites
EDITED_EVERY = 12
GREETINGS = ("Dear Ada,", "Hello again,", "My dear,")
ENDINGS = ("With love, N.", "Yours as ever, N.", "More soon. N.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """Shares of 1."""

    found: float  # of the copies that there are
    wrong: float  # of the letters that are none


def find_copies(letters: int, *, seed: int = 3) -> Copies:
    rng = random.Random(seed)
    written = _letters(letters, rng)
    copies = {
        letters + number: _copied(text, number, rng)
        for number, text in enumerate(written[: letters // 2])
    }
    texts = dict(enumerate(written)) | copies
    found = twins((number, signature(words(text))) for number, text in texts.items())
    rightly = sum(found.get(number) == number - letters for number in copies)
    wrongly = sum(number in found for number in range(letters))
    return Copies(found=rightly / max(1, len(copies)), wrong=wrongly / max(1, letters))


def _letters(count: int, rng: random.Random) -> list[str]:
    pool = [
        sentence + "."
        for document in documents(FAVOURITES + count, 2048, seed=5)
        for sentence in document.text.split(". ")[1:13]
    ]
    favourites, fresh = pool[:FAVOURITES], iter(pool[FAVOURITES:])
    letters = []
    for _ in range(count):
        said = [
            rng.choice(favourites) if rng.random() < 0.2 else next(fresh) for _ in range(SENTENCES)
        ]
        paragraphs = [" ".join(said[start : start + 4]) for start in range(0, SENTENCES, 4)]
        letters.append("\n\n".join([rng.choice(GREETINGS), *paragraphs, rng.choice(ENDINGS)]))
    return letters


def _copied(text: str, number: int, rng: random.Random) -> str:
    if number % 2:
        paragraphs = text.split("\n\n")
        rng.shuffle(paragraphs)
        return "\n\n".join(paragraphs)
    said = text.split(" ")
    for place in range(number % EDITED_EVERY, len(said), EDITED_EVERY):
        said[place] = "otherwise"
    return " ".join(said)
