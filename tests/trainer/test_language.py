"""Which language a text is in."""

import pytest

from tests.trainer.written_texts import WRITTEN
from trainer.language import language

TAGS = {
    "German": "de", "Russian": "ru", "Chinese": "zh", "Japanese": "ja", "Arabic": "ar",
    "Thai": "th", "Korean": "ko", "Hindi": "hi", "a recipe": "en", "a log of a journey": "en",
}  # fmt: skip


@pytest.mark.parametrize("kind", TAGS)
def test_the_language_of_a_letter_is_told(kind: str) -> None:
    assert language(WRITTEN[kind]) == TAGS[kind]


@pytest.mark.parametrize("text", ["", "ok", "Call Oona.", "1 2 3 4 5 6 7 8 9 10 11 12 13", "好的"])
def test_what_is_too_short_to_tell_stays_undetermined(text: str) -> None:
    assert language(text) == "und"


def test_of_a_long_text_the_middle_counts_too() -> None:
    assert language("Lorem ipsum dolor sit amet.\n" + WRITTEN["German"] * 20) == "de"
