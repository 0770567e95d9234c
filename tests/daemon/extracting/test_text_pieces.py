"""The text of large files, piece by piece, as if it had been read at once."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.text_pieces import text_lines, text_pieces

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), min_size=1)


def joined(data: bytes, *, piece: int = 3) -> str:
    return "".join(text_pieces(io.BytesIO(data), piece))


@given(text=TEXTS, encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_pieces_may_end_within_a_character(text: str, encoding: str) -> None:
    assert joined(text.encode(encoding)) == text.removeprefix("\ufeff")


@given(text=TEXTS, longest=st.integers(1, 40))
def test_lines_are_cut_at_the_longest(text: str, longest: int) -> None:
    lines = list(text_lines(io.BytesIO(text.encode("utf-8-sig")), longest=longest))
    whole = text.split("\n")
    assert lines == [line[:longest] for line in (whole if whole[-1] else whole[:-1])]


def test_a_line_without_an_end_is_never_held() -> None:
    data = b"a" * 5_000_000 + b"\r\nb\r\n"
    assert [len(line) for line in text_lines(io.BytesIO(data), longest=100)] == [100, 1]


def test_old_encodings_are_guessed_and_broken_bytes_are_not_the_end() -> None:
    german = "Grüße aus der Küche, schöne Grüße\n" * 20
    assert joined(german.encode("cp1252")) == german
    russian = "Привет, как дела сегодня вечером\n" * 20
    assert joined(russian.encode("cp1251")) == russian
    assert joined(german.encode() + b"\xff") == german + "\ufffd"
    assert joined(german.encode("utf-16-le")) == german


def test_what_is_no_text_is_named() -> None:
    with pytest.raises(Unreadable) as error:
        joined(bytes(range(256)) * 10)
    assert error.value.reason is SkipReason.BINARY
