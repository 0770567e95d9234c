"""Pieces of text are found in the bytes of files, wherever they begin and however written."""

import os
import random
import unicodedata
from pathlib import Path

import pytest

from daemon.auditing.clear_text import CHUNK_BYTES, ClearText, files_below
from daemon.auditing.snippets import (
    LEAST_CHARACTERS,
    PER_DOCUMENT,
    all_forms,
    forms_of,
    snippets_of,
    tells,
)

SENTENCE = "Der Häher saß lange über dem Bienenhaus."
PLAIN = "the jay sat above the bees"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_sentence_is_found_in_every_encoding_and_form(encoding: str, form: str) -> None:
    looking = ClearText(forms_of(SENTENCE))
    written = unicodedata.normalize(form, SENTENCE).encode(encoding)  # type: ignore[arg-type]
    assert looking.holds(b"\0\xff" + written + b"\0")


def test_a_sentence_is_found_as_json_escapes_it() -> None:
    assert ClearText(forms_of(SENTENCE)).holds(rb'{"a": "Der H\u00e4her sa\u00df lange \u00fcber '
                                               rb'dem Bienenhaus."}')  # fmt: skip


@pytest.mark.parametrize("before", range(40))
def test_a_piece_of_the_least_length_is_found_wherever_it_begins(before: int) -> None:
    piece = PLAIN[:LEAST_CHARACTERS]
    looking = ClearText([piece.encode()])
    assert looking.holds(bytes(before) + piece.encode())
    assert not looking.holds(bytes(before) + piece.encode()[:-1])


@pytest.mark.parametrize("before", [CHUNK_BYTES - 13, CHUNK_BYTES - 1, 2 * CHUNK_BYTES - 30, 0])
def test_a_piece_is_found_where_two_readings_meet(tmp_path: Path, before: int) -> None:
    file = tmp_path / "large"
    file.write_bytes(bytes(before) + SENTENCE.encode() + bytes(CHUNK_BYTES))
    told: list[int] = []
    assert ClearText(forms_of(SENTENCE)).is_in(file, told.append)
    file.write_bytes(bytes(before) + SENTENCE.encode()[:-2] + bytes(CHUNK_BYTES))
    assert not ClearText(forms_of(SENTENCE)).is_in(file, told.append)
    assert max(told) <= CHUNK_BYTES


def test_what_shares_words_with_a_piece_is_not_taken_for_it() -> None:
    looking = ClearText([PLAIN.encode()])
    assert not looking.holds(b"the jay sat above the beds, the bees sat above the jay")


def test_nothing_is_found_where_nothing_is_looked_for(tmp_path: Path) -> None:
    file = tmp_path / "any"
    file.write_bytes(os.urandom(100))
    assert not ClearText([]).is_in(file)


def test_a_pipe_and_a_link_are_not_opened_for_their_content(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    looking = ClearText(forms_of(SENTENCE))
    assert not looking.is_in(tmp_path / "pipe")
    with pytest.raises(OSError, match="symbolic"):
        looking.is_in(tmp_path / "link")


def test_files_are_listed_once_and_left_out_where_asked(tmp_path: Path) -> None:
    for name in ("a/one", "a/b/two", "notes/three"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "again").symlink_to(tmp_path / "notes")
    found = [file.name for file in files_below([tmp_path, tmp_path / "a"], {tmp_path / "notes"})]
    assert sorted(found) == ["one", "two"]


# --------------------------------------------------------------------------- what is looked for


def test_pieces_are_long_telling_and_different() -> None:
    text = "\n".join(f"Line {n} about the hives, the river and {n * 7} apples." for n in range(50))
    pieces = snippets_of(3, text + "\n" + "-" * 500, random.Random(1))
    assert len({piece.text for piece in pieces}) == PER_DOCUMENT
    assert all(piece.document == 3 and tells(piece.text) for piece in pieces)
    assert all(piece.text in text for piece in pieces)


@pytest.mark.parametrize(
    "text", ["", "short", "-" * 200, "ab " * 100, "a\n" * 100, "0123456789" * 9]
)
def test_a_text_that_says_nothing_gives_no_piece(text: str) -> None:
    assert snippets_of(1, text, random.Random(1)) == []


def test_a_piece_does_not_show_its_text() -> None:
    [piece, *_] = snippets_of(1, SENTENCE, random.Random(1))
    assert "Bienenhaus" not in repr(piece)
    assert all(len(form) >= LEAST_CHARACTERS for form in all_forms([piece]))
