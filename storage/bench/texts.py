"""Documents to be kept: words in sentences, the same for the same seed. Nobody's text."""

import random

from storage.records import RedactedDocument

WORDS = 4000
ACCENTED_EVERY = 4  # one document in so many is not ASCII
_SYLLABLES = ("ba", "den", "fi", "gor", "he", "ist", "ka", "lum", "mo", "nes", "or", "pe", "ran",
              "sil", "to", "ur", "ve", "wen")  # fmt: skip
_ACCENTED = ("été", "über", "niño", "façade", "naïve")


def documents(count: int, size_bytes: int, *, seed: int = 1) -> list[RedactedDocument]:
    """`count` different texts of about `size_bytes`, each in a file of its own."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(_SYLLABLES, k=rng.randint(1, 4))) for _ in range(WORDS)]
    return [
        RedactedDocument(
            source="bench",
            path=f"/home/nobody/notes/{number % 100:02}/{number}.md",
            modified_at=1_700_000_000.25 + number,
            text=_text(rng, words, number, size_bytes),
            rules_version=1,
        )
        for number in range(count)
    ]


def _text(rng: random.Random, words: list[str], number: int, size_bytes: int) -> str:
    begin = f"Note {number}. "
    if number % ACCENTED_EVERY == 0:
        begin += " ".join(rng.choices(_ACCENTED, k=3)) + ". "
    sentences, size = [begin], len(begin.encode())
    while size < size_bytes:
        sentence = " ".join(rng.choices(words, k=12)).capitalize() + ". "
        sentences.append(sentence)
        size += len(sentence)
    text = "".join(sentences)
    return text[: len(text) - (size - size_bytes)]  # what is cut off is ASCII
