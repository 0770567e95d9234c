"""PDF: the text layer as paragraphs, and what every other PDF is called."""

import io
import logging
from dataclasses import replace

import pytest

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.pdf import extract
from daemon.extracting.pdf_lines import paragraphs
from tests.daemon.extracting.papers import FACTS, locked_pdf, pdf_of, pdf_with, scanned_pdf

CATALOG = "<</Type/Catalog/Pages 2 0 R>>"


def text_of(data: bytes) -> str:
    (document,) = extract(io.BytesIO(data), FACTS)
    return document.text


def reason_of(data: bytes) -> SkipReason:
    with pytest.raises(Unreadable) as caught:
        list(extract(io.BytesIO(data), FACTS))
    return caught.value.reason


def test_pages_give_their_paragraphs_in_order() -> None:
    data = pdf_of(
        ["Über die Bienen läßt sich viel", "sagen. 👩‍🌾", "", "Der Apfelbaum blüht noch nicht."],
        ["Und dann kam der Regen."],
    )
    assert text_of(data).split("\n\n") == [
        "Über die Bienen läßt sich viel sagen. 👩‍🌾",
        "Der Apfelbaum blüht noch nicht.",
        "Und dann kam der Regen.",
    ]


def test_what_is_drawn_from_the_right_reads_as_it_was_written() -> None:
    assert text_of(pdf_of(["שלום"[::-1]])) == "שלום"


def test_language_and_format_are_known() -> None:
    (document,) = extract(io.BytesIO(pdf_of(["Text"])), FACTS)
    assert document.about == {"language": "de", "format": "pdf"}


def test_a_scan_has_no_text() -> None:
    assert reason_of(scanned_pdf()) is SkipReason.NO_TEXT
    assert reason_of(pdf_of(["1", "2"])) is SkipReason.NO_TEXT  # but page numbers


def test_fonts_that_tell_no_letters_give_no_text() -> None:
    assert reason_of(pdf_of(["\ue001\ue002\ue003 a \ue004"])) is SkipReason.NO_TEXT


def test_a_password_is_said_and_one_for_changes_only_is_none() -> None:
    data = pdf_of(["Nur lesen."])
    assert reason_of(locked_pdf(data, "geheim")) is SkipReason.ENCRYPTED
    assert text_of(locked_pdf(data, "", owner="geheim")) == "Nur lesen."


def test_more_pages_and_more_text_than_any_book_are_refused() -> None:
    kids = "3 0 R " * 5_001
    pages = f"<</Type/Pages/Count 5001/Kids[{kids}]>>"
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 1 1]>>"
    assert reason_of(pdf_with([CATALOG, pages, page])) is SkipReason.TOO_LARGE
    most = replace(FACTS, most_bytes=1000)
    with pytest.raises(Unreadable, match="too_large"):
        list(extract(io.BytesIO(pdf_of(["many words"] * 50, ["and more"] * 90)), most))


@pytest.mark.parametrize(
    "data",
    [
        pdf_with([CATALOG, "<</Type/Pages/Count 1/Kids[2 0 R]>>"]),
        pdf_with([CATALOG, "<</Type/Pages/Kids[3 0 R]>>", "<</Type/Pages/Kids[2 0 R 3 0 R]>>"]),
        pdf_with(["<</Type/Catalog/Pages 1 0 R>>"]),
        pdf_with(["1 0 R"]),
        pdf_of(["cut off"])[:400],
        b"%PDF-1.7\n",
        b"no such thing",
    ],
)
def test_loops_and_torn_files_end_at_once(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(Exception):  # noqa: B017, PT011 - any will do
        list(extract(io.BytesIO(data), FACTS))
    assert not caplog.records


# --------------------------------------------------------------------------- lines


def test_parted_words_become_whole_and_hyphens_stay() -> None:
    page = "Der Früh-\nling kam mit Nord-\nSüd-Wind und viel-\nleicht auch mit Regen.\n"
    (paragraph,) = paragraphs([page])
    assert paragraph == "Der Frühling kam mit Nord- Süd-Wind und vielleicht auch mit Regen."


def test_a_paragraph_goes_on_over_the_page() -> None:
    pages = ["A long line that fills the width\nand ends without", "a full stop. Then it ended."]
    assert paragraphs(pages) == [
        "A long line that fills the width and ends without a full stop. Then it ended."
    ]


def test_short_lines_end_paragraphs_and_items_stand_alone() -> None:
    page = (
        "Spring\nThe damsons flowered early this year, and the bees\nwere out by March.\n"
        "Then it was cold again for a week or two, so nobody\nworked.\n• sugar\n• honey\n1. first"
    )
    assert paragraphs([page]) == [
        "Spring",
        "The damsons flowered early this year, and the bees were out by March.",
        "Then it was cold again for a week or two, so nobody worked.",
        "• sugar",
        "• honey",
        "1. first",
    ]


def test_running_heads_and_page_numbers_go() -> None:
    pages = [
        f"The Beekeeper's Year\n\nWhat was said on the {word} day is here.\n\n- {number} -"
        for number, word in enumerate(("first", "second", "third", "fourth"), 1)
    ]
    assert paragraphs(pages) == [
        f"What was said on the {word} day is here."
        for word in ("first", "second", "third", "fourth")
    ]


def test_headings_with_numbers_stand_alone_and_tables_of_contents_go() -> None:
    page = (
        "1.1 Spring . . . . . . . . . . . 3\n1.2 Summer .................... 12\n"
        "This line is long enough to be full, and it ends.\n1.2. Summer\n"
        "It was hot ..... then cold.\n"
    )
    assert paragraphs([page]) == [
        "This line is long enough to be full, and it ends.",
        "1.2. Summer",
        "It was hot ..... then cold.",
    ]


def test_ligatures_are_letters() -> None:
    assert paragraphs(["o\ufb03ce of \ufb01ne \ufb02owers"]) == ["office of fine flowers"]


def test_a_hundred_thousand_lines_are_joined_in_a_moment() -> None:
    assert len(paragraphs(["word\n" * 1000] * 100)) > 0
