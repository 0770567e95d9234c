"""DOCX as Word writes it: what is read, in which order, and what is left out."""

import io
from typing import Any

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from daemon.collecting.skipping import SkipReason
from daemon.extracting.docx import extract
from daemon.extracting.errors import Unreadable
from tests.daemon.extracting.papers import FACTS, LETTER, docx_of, rezipped, saved_docx

NOTES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
FOOTNOTES = (
    f"<w:footnotes {nsdecls('w')}>"
    '<w:footnote w:type="separator" w:id="0"><w:p><w:r><w:t>---</w:t></w:r></w:p></w:footnote>'
    '<w:footnote w:id="2"><w:p><w:r><w:t>Of the old hive.</w:t></w:r></w:p></w:footnote>'
    "</w:footnotes>"
)


def text_of(data: bytes) -> str:
    (document,) = extract(io.BytesIO(data), FACTS)
    return document.text


def with_paragraph(xml: str, document: Any = None) -> bytes:
    document = document or docx.Document()
    document.element.body.insert(0, parse_xml(f"<w:p {nsdecls('w')}>{xml}</w:p>"))
    return saved_docx(document)


def test_headings_paragraphs_lists_and_tables_in_their_order() -> None:
    document = docx.Document()
    document.core_properties.title = "Bienenjahr"
    document.core_properties.language = "de-DE"
    document.add_heading("Ein Jahr", 0)
    document.add_heading("Frühling", 2)
    document.add_paragraph(LETTER)
    document.add_paragraph("Zucker", style="List Bullet")
    document.add_paragraph("Honig", style="List Number")
    table = document.add_table(2, 2)
    for number, cell in enumerate(table._cells):
        cell.text = f"Zelle {number}"
    document.add_paragraph("Ende.")

    (found,) = extract(io.BytesIO(saved_docx(document)), FACTS)

    assert found.text.split("\n\n") == [
        "# Ein Jahr",
        "## Frühling",
        LETTER,
        "- Zucker\n- Honig",
        "Zelle 0 | Zelle 1\nZelle 2 | Zelle 3",
        "Ende.",
    ]
    assert found.about == {"title": "Bienenjahr", "language": "de-DE", "format": "docx"}


def test_tracked_deletions_and_hidden_text_go_and_insertions_stay() -> None:
    run = "<w:r><w:t xml:space='preserve'>{}</w:t></w:r>"
    data = with_paragraph(
        run.format("We sowed ")
        + "<w:del><w:r><w:delText>maize</w:delText></w:r></w:del>"
        + f"<w:ins>{run.format('clover')}</w:ins>"
        + f"<w:moveFrom>{run.format(' moved')}</w:moveFrom>"
        + "<w:r><w:rPr><w:vanish/></w:rPr><w:t> unseen</w:t></w:r>"
        + f"<w:hyperlink>{run.format(' here')}</w:hyperlink>"
        + "<w:r><w:instrText>PAGE</w:instrText></w:r><w:r><w:tab/><w:t>now</w:t></w:r>"
    )
    assert text_of(data) == "We sowed clover here now"


def test_comments_are_left_out() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("The hive is full.")
    document.add_comment(paragraph.runs, text="Is it really?", author="Harkness")
    assert text_of(saved_docx(document)) == "The hive is full."


def test_a_note_stands_behind_its_paragraph() -> None:
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part

    document = docx.Document()
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    part = Part(PackURI("/word/footnotes.xml"), kind, FOOTNOTES.encode(), document.part.package)
    document.part.relate_to(part, NOTES)
    document.add_paragraph("The next paragraph.")
    data = with_paragraph(
        "<w:r><w:t>They swarmed</w:t><w:footnoteReference w:id='2'/><w:t>.</w:t></w:r>", document
    )
    assert text_of(data) == "They swarmed.\n\nOf the old hive.\n\nThe next paragraph."


def test_text_in_a_box_is_read_once() -> None:
    box = "<w:txbxContent><w:p><w:r><w:t>In a box.</w:t></w:r></w:p></w:txbxContent>"
    mc = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    data = with_paragraph(
        f'<w:r><w:t>Before.</w:t></w:r><w:r><mc:AlternateContent xmlns:mc="{mc}">'
        f"<mc:Choice Requires='wps'>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
        "</mc:AlternateContent></w:r>"
    )
    assert text_of(data) == "Before.\n\nIn a box."


def reason_of(data: bytes) -> SkipReason:
    with pytest.raises(Unreadable) as caught:
        list(extract(io.BytesIO(data), FACTS))
    return caught.value.reason


def test_a_bomb_of_entities_is_not_lit() -> None:
    entities = "".join(
        f'<!ENTITY {name} "{f"&{below};" * 10}">' for below, name in zip("abcdefgh", "bcdefghi")
    )
    bomb = f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "ha">{entities}]><d>&i;</d>'
    data = docx_of("text")
    assert reason_of(rezipped(data, {"word/document.xml": bomb})) is SkipReason.DAMAGED
    utf16 = bomb.replace('"1.0"', '"1.0" encoding="utf-16"').encode("utf-16")
    assert reason_of(rezipped(data, {"word/settings.xml": utf16})) is SkipReason.DAMAGED


def test_a_file_that_unpacks_to_far_more_is_a_bomb() -> None:
    data = rezipped(docx_of("text"), {"word/media/image1.bmp": bytes(20_000_000)})
    assert reason_of(data) is SkipReason.BOMB


def test_a_document_without_a_letter_has_no_text() -> None:
    assert reason_of(docx_of("", "1")) is SkipReason.NO_TEXT


def test_what_is_locked_old_or_something_else_is_named() -> None:
    container = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    assert reason_of(container) is SkipReason.UNKNOWN_FORMAT  # a .doc with another name
    assert reason_of(container + "EncryptedPackage".encode("utf-16-le")) is SkipReason.ENCRYPTED
    assert reason_of(b"plain words") is SkipReason.DAMAGED
    assert reason_of(docx_of("text")[:2000]) is SkipReason.DAMAGED


def test_more_text_than_a_document_may_have_is_too_large() -> None:
    assert reason_of(docx_of("many words " * 100_000)) in (SkipReason.TOO_LARGE, SkipReason.BOMB)
