"""HTML: the main text of a page, all of it where there is none, in every encoding."""

import io
from contextlib import suppress

import pytest

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.html import extract
from tests.daemon.extracting.papers import FACTS

ARTICLE = (
    "Die Bienen fliegen wieder, und der Apfelbaum am Ende des Gartens blüht so früh wie nie. "
    "Wer hätte im März gedacht, daß wir schon im April auf der Bank sitzen würden? "
)
PAGE = f"""<!doctype html><html lang="de"><head><meta charset="utf-8"><title>Mein Garten</title>
<script>var tracked = "nobody wants this";</script></head><body>
<nav><ul><li><a href="/">Startseite</a></li><li><a href="/shop">Laden</a></li></ul></nav>
<div class="cookie-banner">Wir verwenden Cookies. <button>Alle annehmen</button></div>
<main><article><h1>Frühling</h1><p>{ARTICLE * 3}<b>Endlich.</b></p>
<ul><li>Zucker</li><li>Honig</li></ul><p dir="rtl">שלום עולם, می‌خواهم</p><p>👩‍🌾 &amp; Zoë</p>
</article></main><footer>Impressum · Datenschutz</footer></body></html>"""


def text_of(source: str | bytes) -> str:
    data = source.encode() if isinstance(source, str) else source
    (document,) = extract(io.BytesIO(data), FACTS)
    return document.text


def reason_of(data: bytes) -> SkipReason:
    with pytest.raises(Unreadable) as caught:
        list(extract(io.BytesIO(data), FACTS))
    return caught.value.reason


def test_the_main_text_is_taken_and_what_is_around_it_is_not() -> None:
    text = text_of(PAGE)
    assert text.startswith("# Frühling\n\nDie Bienen fliegen")
    assert "- Zucker\n- Honig" in text
    for word in ("Startseite", "Cookies", "Impressum", "tracked"):
        assert word not in text


def test_joined_emoji_and_persian_and_hebrew_are_whole() -> None:
    text = text_of(PAGE)
    assert "שלום עולם, می\u200cخواهم" in text
    assert "👩\u200d🌾 & Zoë" in text


def test_title_and_language_are_known() -> None:
    (document,) = extract(io.BytesIO(PAGE.encode()), FACTS)
    assert document.about == {"title": "Mein Garten", "language": "de", "format": "html"}


def test_a_page_without_a_main_part_gives_all_its_text() -> None:
    source = (
        "<h2>Liste</h2><ul><li>Zucker<ul><li><p>weißer</p></li></ul></li><li>Honig</li></ul>"
        "<table><tr><th>Tag</th><td><p>Mo</p></td></tr><tr><td>Korb</td><td>2</td></tr></table>"
        "<p>Eine <b>fette</b> Zeile<br>und noch\neine.</p><pre>a\n   b</pre><style>p {}</style>"
    )
    assert text_of(source).split("\n\n") == [
        "## Liste",
        "- Zucker\n  - weißer\n- Honig",
        "Tag | Mo\nKorb | 2",
        "Eine fette Zeile\nund noch eine.",
        "a\n   b",
    ]


def test_a_page_that_was_saved_with_its_pictures_in_it_is_a_page() -> None:
    picture = "data:image/png;base64," + "iVBORw0KGgo" * 100_000
    assert text_of(PAGE.replace("<ul>", f'<img src="{picture}"><ul>')) == text_of(PAGE)


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [("windows-1251", "cp1251"), ("iso-8859-1", "cp1252"), ("utf-8", "utf-8"), ("", "utf-8")],
)
def test_a_page_is_read_in_the_encoding_that_it_names(declared: str, encoding: str) -> None:
    words = "Пчёлы летят" if encoding == "cp1251" else "„Zoë“ läßt grüßen"
    head = f'<meta http-equiv="content-type" content="text/html; charset={declared}">'
    assert text_of((head + f"<p>{words}</p>").encode(encoding)) == words


def test_an_encoding_that_does_not_fit_is_not_believed() -> None:
    assert text_of('<meta charset="gb2312"><p>Zoë läßt grüßen</p>'.encode()) == "Zoë läßt grüßen"
    assert text_of('<meta charset="punycode"><p>Zoë</p>'.encode()) == "Zoë"


def test_a_page_of_xml_is_a_page() -> None:
    source = '<?xml version="1.0" encoding="utf-8"?><html><body><p>Zoë</p></body></html>'
    assert text_of(source) == "Zoë"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", SkipReason.NO_TEXT),
        (b"<html></html>", SkipReason.NO_TEXT),
        (b"<script>let a = 1;</script>", SkipReason.NO_TEXT),
        (b"PK\x03\x04" + bytes(range(256)) * 4, SkipReason.DAMAGED),
    ],
)
def test_a_page_without_text_is_named(data: bytes, reason: SkipReason) -> None:
    assert reason_of(data) is reason


@pytest.mark.parametrize(
    "data",
    [
        b"<div>" * 20_000 + b"deep",
        b"<table><tr><td>" * 3_000 + b"deep",
        b"<p " + b"a=1 " * 20_000 + b">words",
        b"<!--" * 10_000,
        b"&amp;" * 50_000,
        b"<ul><li>" * 2_000 + b"deep",
    ],
)
def test_strange_pages_end_with_their_words_or_with_a_reason(data: bytes) -> None:
    said: list[str] = []
    with suppress(Unreadable):
        said = [one.text for one in extract(io.BytesIO(data), FACTS)]
    assert all(text.strip() and "<" not in text for text in said)
