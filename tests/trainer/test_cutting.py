"""Long texts are cut before paragraphs, else before sentences; nothing is lost."""

import re

from hypothesis import given
from hypothesis import strategies as st

from trainer.cutting import borders, borders_in, cuts, last_within

words = st.text(alphabet="ab .!?\n", max_size=300)


def parts(text: str, most: int) -> list[str]:
    return [text[start:end] for start, end in cuts(len(text), borders_in(text), most)]


def test_a_text_that_fits_is_not_cut() -> None:
    assert parts("One.\n\nTwo.", 10) == ["One.\n\nTwo."]
    assert parts("", 10) == []


def test_pieces_begin_with_paragraphs() -> None:
    text = "The first one is short.\n\nThe second is longer, it has commas.\n\nA third.\n\nA last."
    assert parts(text, 66) == [
        "The first one is short.\n\nThe second is longer, it has commas.\n\n",
        "A third.\n\nA last.",
    ]


def test_a_paragraph_that_no_row_holds_is_cut_between_sentences() -> None:
    text = "We went out. It rained. “So be it!” he said. Nobody else came to the gate that day."
    assert parts(text, 30) == [
        "We went out. It rained. ",
        "“So be it!” he said. ",
        "Nobody else came to the gate t",
        "hat day.",
    ]


def test_stops_of_other_scripts_end_sentences() -> None:
    text = "今日は雨。明日も雨！そう。"
    assert [text[place:] for place in borders_in(text).sentences] == ["明日も雨！そう。", "そう。"]


def test_borders_are_tokens_also_where_a_blank_belongs_to_the_token_after_it() -> None:
    found = borders([b"", b"One", b".", b" Two", b".\n", b"\n", b"Three", b""])
    assert found.sentences == (3, 6)
    assert found.paragraphs == (6,)


def test_a_mark_at_the_end_is_no_border() -> None:
    assert borders([b"One", b".\n\n", b""]).sentences == ()


@given(text=words, most=st.integers(1, 60))
def test_pieces_are_the_text_and_fit(text: str, most: int) -> None:
    made = parts(text, most)
    assert "".join(made) == text
    assert all(0 < len(piece) <= most for piece in made)


@given(text=words, most=st.integers(8, 60))
def test_where_a_paragraph_begins_late_enough_the_cut_is_there(text: str, most: int) -> None:
    paragraphs = {found.end() for found in re.finditer(r"\n[ \t\r]*\n\s*", text)} - {len(text)}
    start = 0
    for piece in parts(text, most)[:-1]:
        wanted = [p for p in paragraphs if start + most // 2 <= p <= start + most]
        start += len(piece)
        assert not wanted or start == max(wanted)


def test_the_last_place_within_bounds() -> None:
    assert last_within((2, 5, 9), 3, 8) == 5
    assert last_within((2, 5, 9), 6, 8) is None
    assert last_within((), 0, 8) is None
