"""Copies are found, and what only sounds alike is not."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.letter_making import chinese_letter, edited, letter, shuffled
from tests.trainer.written_texts import WRITTEN
from trainer.near_duplicates import Signature, is_copy, signature, twins
from trainer.shingles import shingles, words

LETTERS = 400
COPIES: dict[str, Callable[[str, int], str]] = {
    "shuffled": shuffled,
    "edited": edited,
    "shuffled and edited": lambda text, seed: shuffled(edited(text, seed), seed),
}


def found(texts: list[str]) -> dict[int, int]:
    return twins((number, signature(words(text))) for number, text in enumerate(texts))


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("sentences", [8, 80])
def test_of_changed_copies_95_in_100_are_found(copy: str, sentences: int) -> None:
    texts = [letter(seed, sentences=sentences) for seed in range(40)]
    copies = [COPIES[copy](text, seed) for seed, text in enumerate(texts)]
    pairs = found([*texts, *copies])
    assert sum(pairs.get(number + 40) == number for number in range(40)) >= 38


@pytest.mark.parametrize("copy", COPIES)
def test_copies_are_found_where_words_have_no_spaces(copy: str) -> None:
    texts = [chinese_letter(seed) for seed in range(40)]
    copies = [COPIES[copy](text, seed) for seed, text in enumerate(texts)]
    pairs = found([*texts, *copies])
    assert sum(pairs.get(number + 40) == number for number in range(40)) >= 38


@pytest.mark.parametrize("sentences", [4, 16])
def test_of_different_letters_of_one_author_fewer_than_1_in_100_are_taken_for_copies(
    sentences: int,
) -> None:
    texts = [letter(seed, sentences=sentences) for seed in range(LETTERS)]
    assert len(found(texts)) < LETTERS / 100
    assert len(found([chinese_letter(seed) for seed in range(LETTERS)])) < LETTERS / 100


def test_what_people_write_is_no_copy_of_anything() -> None:
    assert found(list(WRITTEN.values())) == {}


def test_capitals_marks_and_widths_make_no_difference() -> None:
    text = letter(1)
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalpha() else c for c in text)
    assert found([text, text.upper(), wide, text.replace(".", " -")]) == {1: 0, 2: 0, 3: 0}


def test_a_text_that_grew_by_as_much_again_is_no_copy_but_its_beginning_is() -> None:
    whole = letter(1, sentences=32)
    half = whole[: len(whole) // 2]
    first, second = signature(words(half)), signature(words(whole))
    assert not is_copy(second, of=first)
    assert is_copy(first, of=second)


def test_what_stays_is_never_left_out_itself() -> None:
    chain = [letter(1, sentences=40)]
    for seed in range(12):
        chain.append(edited(chain[-1], seed, every=12))
    pairs = found(chain)
    assert pairs
    assert not set(pairs.values()) & pairs.keys()
    assert 0 not in pairs


def compared_with_all(texts: list[str]) -> dict[int, int]:
    """As `twins` says it, each with all that stay."""
    kept: dict[int, Signature] = {}
    pairs: dict[int, int] = {}
    for number, text in enumerate(texts):
        own = signature(words(text))
        near = [
            other
            for other, one in kept.items()
            if set(own.bands()) & set(one.bands()) and is_copy(own, one)
        ]
        if near:
            pairs[number] = max(near, key=lambda other: own.alike(kept[other]))
        elif own.runs:
            kept[number] = own
    return pairs


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.booleans()), max_size=20))
def test_only_what_shares_a_band_is_looked_up_and_nothing_is_missed(
    drawn: list[tuple[int, int, bool]],
) -> None:
    texts = [""]
    for seed, change, again in drawn:
        text = letter(seed, sentences=4)
        text = edited(text, change, every=5 + 4 * change) if change else text
        texts.append(shuffled(text, change) if again else text)
    assert found(texts) == compared_with_all(texts)


def test_one_word_is_a_text_and_none_is_like_nothing() -> None:
    assert found(["Yes", "yes!", "no", "", ""]) == {1: 0}


def test_in_scripts_without_spaces_each_character_is_a_word() -> None:
    assert words("Ich 在河边 waiting、ฝน") == ["ich", "在", "河", "边", "waiting", "ฝ", "น"]
    assert words("옛날 옛적에") == ["옛날", "옛적에"]
    assert shingles(["a", "b", "c", "d"], 3) == ["a b c", "b c d"]
    assert (shingles(["a"], 3), shingles([], 3)) == (["a"], [])


def test_no_text_stands_in_a_repr() -> None:
    assert "Zoe" not in repr(signature(words(letter(1))))
