"""Bytes of old and new text files become the text that was meant."""

import codecs
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.collecting.decoding import decode
from daemon.collecting.skipping import SkipReason

FRENCH = "Été comme hiver, l'élève déjeunait à la façade. Où est le garçon? Noël approche.\n"
GERMAN = "Schöne Grüße aus Köln, wo die Straße über die Brücke führt.\n"
PORTUGUESE = "Não há maçãs na mesa. Amanhã irei à praia com minha irmã e meu avô.\n"
RUSSIAN = "Сегодня утром я пошёл на пасеку и посмотрел ульи. Пчёлы уже летали.\n"
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy.\n"
TURKISH = "Bugün sabah arı kovanlarına gittim, şimdi ağaçlar çiçek açıyor.\n"
JAPANESE = "今日は朝から養蜂場に行って、巣箱を見ました。\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (FRENCH, "latin-1"),
        (GERMAN, "latin-1"),
        (PORTUGUESE, "cp1252"),
        ("“It’s a café” — she said.\n", "cp1252"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (CZECH, "cp1250"),
        (TURKISH, "cp1254"),
        (JAPANESE, "shift_jis"),
        (RUSSIAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (RUSSIAN, "utf-16"),
        (RUSSIAN, "utf-32"),
        (JAPANESE, "utf-8-sig"),
        (FRENCH, "utf-8"),
    ],
)
def test_text_of_any_encoding_is_read_as_it_was_written(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_a_long_file_in_an_old_encoding_is_read_whole() -> None:
    text = "plain lines first\n" * 20_000 + GERMAN * 3
    assert decode(text.encode("latin-1")) == text


def test_newlines_of_all_systems_become_one_kind() -> None:
    assert decode(b"a\r\nb\rc\n") == "a\nb\nc\n"


@pytest.mark.parametrize("data", [b"", b" \r\n\t", codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
def test_files_without_a_word_are_empty(data: bytes) -> None:
    assert decode(data) is SkipReason.EMPTY


@pytest.mark.parametrize(
    "data",
    [
        b"\x7fELF\x02\x01\x01" + bytes(200),
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        random.Random(1).randbytes(5000),
        codecs.BOM_UTF8 + b"\xff\xfe\xfd",
        codecs.BOM_UTF16_LE + b"a",
        b"\x01\x02\x03\x04" * 20,
    ],
)
def test_what_is_no_text_is_binary(data: bytes) -> None:
    assert decode(data) is SkipReason.BINARY


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    text = decode(data)
    assert isinstance(text, SkipReason) or text.encode("utf-8")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1))
def test_utf8_text_comes_back_unchanged(text: str) -> None:
    expected = SkipReason.EMPTY if text.removeprefix("\ufeff").strip() == "" else text
    assert decode(text.encode()) in (expected, text.removeprefix("\ufeff"))
