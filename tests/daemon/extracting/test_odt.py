"""ODT as LibreOffice writes it: what is read, in which order, and what is left out."""

import io

import odfdo
import pytest

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.odt import extract
from tests.daemon.extracting.papers import FACTS, LETTER, docx_of, odt_of, rezipped, saved_odt


def document_of(*elements: odfdo.Element) -> odfdo.Document:
    document = odfdo.Document("text")
    document.body.clear()
    for element in elements:
        document.body.append(element)
    return document


def text_of(document: odfdo.Document) -> str:
    (found,) = extract(io.BytesIO(saved_odt(document)), FACTS)
    return found.text


def reason_of(data: bytes) -> SkipReason:
    with pytest.raises(Unreadable) as caught:
        list(extract(io.BytesIO(data), FACTS))
    return caught.value.reason


def test_headings_paragraphs_lists_and_tables_in_their_order() -> None:
    table = odfdo.Table("T", width=2, height=2)
    table.set_values([["a", "b"], ["c", "d"]])
    nested = odfdo.List(["Zucker"])
    nested.append_item(odfdo.ListItem("Honig"))
    document = document_of(
        odfdo.Header(2, "Frühling"),
        odfdo.Paragraph(LETTER),
        nested,
        table,
        odfdo.Paragraph("Ende."),
    )
    document.meta.title = "Bienenjahr"
    document.meta.language = "de-DE"

    (found,) = extract(io.BytesIO(saved_odt(document)), FACTS)

    assert found.text.split("\n\n") == [
        "## Frühling",
        LETTER,
        "- Zucker\n- Honig",
        "a | b\nc | d",
        "Ende.",
    ]
    assert found.about == {"title": "Bienenjahr", "language": "de-DE", "format": "odt"}


def test_spaces_tabs_and_line_ends_are_those_of_the_writer() -> None:
    document = document_of(odfdo.Element.from_tag(
        '<text:p>one<text:s text:c="900000000"/>two<text:tab/>three<text:line-break/>four'
        '<text:span>and <text:a>five</text:a></text:span></text:p>'
    ))  # fmt: skip
    assert text_of(document) == "one two three\nfourand five"


def test_notes_follow_their_paragraph_and_comments_and_deletions_go() -> None:
    document = document_of(
        odfdo.Element.from_tag(
            "<text:tracked-changes><text:changed-region><text:deletion><text:p>maize</text:p>"
            "</text:deletion></text:changed-region></text:tracked-changes>"
        ),
        odfdo.Element.from_tag(
            "<text:p>We sowed clover<text:note><text:note-citation>1</text:note-citation>"
            "<text:note-body><text:p>By hand.</text:p></text:note-body></text:note>"
            "<office:annotation><text:p>Really?</text:p></office:annotation>.</text:p>"
        ),
        odfdo.Paragraph("Then it rained."),
    )
    assert text_of(document) == "We sowed clover.\n\nBy hand.\n\nThen it rained."


def test_an_index_that_was_made_by_the_program_is_left_out() -> None:
    document = document_of(
        odfdo.Element.from_tag(
            "<text:table-of-content><text:index-body><text:p>Spring 1</text:p></text:index-body>"
            "</text:table-of-content>"
        ),
        odfdo.Paragraph("Spring came."),
    )
    assert text_of(document) == "Spring came."


def test_what_is_locked_or_something_else_is_named() -> None:
    data = odt_of("text")
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        '<manifest:file-entry manifest:full-path="content.xml"><manifest:encryption-data/>'
        "</manifest:file-entry></manifest:manifest>"
    )
    locked = rezipped(
        data, {"META-INF/manifest.xml": manifest, "content.xml": b"\x93\x01\xff" * 99}
    )
    assert reason_of(locked) is SkipReason.ENCRYPTED
    sheet = rezipped(data, {"mimetype": "application/vnd.oasis.opendocument.spreadsheet"})
    assert reason_of(sheet) is SkipReason.UNKNOWN_FORMAT
    assert reason_of(docx_of("text")) is SkipReason.UNKNOWN_FORMAT
    assert reason_of(data[:1000]) is SkipReason.DAMAGED
    assert reason_of(odt_of("")) is SkipReason.NO_TEXT


def test_entities_are_refused() -> None:
    content = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
    assert reason_of(rezipped(odt_of("x"), {"content.xml": content})) is SkipReason.DAMAGED


def test_elements_in_elements_without_an_end_are_refused() -> None:
    ns = 'xmlns:o="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    deep = f"<a {ns}>" + "<b>" * 5000 + "</b>" * 5000 + "</a>"
    assert reason_of(rezipped(odt_of("x"), {"content.xml": deep})) is SkipReason.BOMB
