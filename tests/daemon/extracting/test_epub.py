"""EPUB: chapters in the order of reading, and books that cannot be read."""

import io

import pytest

from daemon.collecting.skipping import SkipReason
from daemon.extracting.epub import extract
from daemon.extracting.errors import Unreadable
from tests.daemon.extracting.papers import CONTAINER, FACTS, LETTER, epub_of, zip_of

CHAPTERS = {
    "zwei": f"<h1>Frühling</h1><p>{LETTER}</p>",
    "eins": "<h1>Sommer</h1><p>Es <i>summt</i>.</p><p>Überall.</p>",
}
LOCKS = """<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"
 xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData><e:CipherData>
<e:CipherReference URI="{}"/></e:CipherData></e:EncryptedData></encryption>"""


def reason_of(data: bytes) -> SkipReason:
    with pytest.raises(Unreadable) as caught:
        list(extract(io.BytesIO(data), FACTS))
    return caught.value.reason


def test_chapters_stand_in_the_order_of_reading() -> None:
    (book,) = extract(io.BytesIO(epub_of(CHAPTERS)), FACTS)
    assert book.text.split("\n\n") == ["# Frühling", LETTER, "# Sommer", "Es summt.", "Überall."]
    assert book.about == {"title": "Ein Bienenjahr", "language": "de", "format": "epub"}


def test_a_page_with_a_picture_alone_gives_none_and_harms_none() -> None:
    (book,) = extract(io.BytesIO(epub_of({"cover": "<img src='a.jpg'/>", **CHAPTERS})), FACTS)
    assert book.text.startswith("# Frühling")


def test_a_locked_book_is_said_and_locked_fonts_are_none() -> None:
    locked = LOCKS.format("OEBPS/eins.xhtml")
    assert reason_of(epub_of(CHAPTERS, more={"META-INF/encryption.xml": locked})) == "encrypted"
    fonts = LOCKS.format("OEBPS/font.otf")
    (book,) = extract(io.BytesIO(epub_of(CHAPTERS, more={"META-INF/encryption.xml": fonts})), FACTS)
    assert "Sommer" in book.text


def test_two_thousand_entries_are_refused() -> None:
    more: dict[str, str | bytes] = {f"OEBPS/{number}.jpg": b"" for number in range(2000)}
    assert reason_of(epub_of(CHAPTERS, more=more)) is SkipReason.BOMB


def test_a_chapter_that_swells_and_one_that_is_an_archive_are_refused() -> None:
    swollen = epub_of({"eins": "<p>" + "a" * 30_000_000 + "</p>"})
    assert reason_of(swollen) is SkipReason.BOMB
    nested = epub_of(CHAPTERS, more={"OEBPS/eins.xhtml": zip_of({"a": "b"})})
    assert reason_of(nested) is SkipReason.BOMB


def test_a_chapter_may_not_be_fetched_from_elsewhere() -> None:
    package = """<package><manifest><item id="a" href="../../../../etc/passwd"
        media-type="text/html"/></manifest><spine><itemref idref="a"/></spine></package>"""
    data = zip_of({"META-INF/container.xml": CONTAINER, "OEBPS/book.opf": package})
    assert reason_of(data) is SkipReason.DAMAGED


def test_a_chapter_that_is_named_a_thousand_times_is_read_once() -> None:
    spine = '<itemref idref="eins"/>' * 1000
    package = f"""<package><manifest><item id="eins" href="eins.xhtml"
        media-type="application/xhtml+xml"/></manifest><spine>{spine}</spine></package>"""
    data = epub_of(CHAPTERS, more={"OEBPS/book.opf": package})
    (book,) = extract(io.BytesIO(data), FACTS)
    assert book.text.count("Sommer") == 1


@pytest.mark.parametrize(
    "data",
    [
        b"no archive",
        zip_of({"a.txt": "an archive"}),
        epub_of(CHAPTERS)[:700],
        epub_of(CHAPTERS, more={"META-INF/container.xml": "<a"}),
        epub_of(CHAPTERS, more={"OEBPS/book.opf": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}),
        epub_of({}),
    ],
)
def test_a_torn_book_is_damaged(data: bytes) -> None:
    assert reason_of(data) is SkipReason.DAMAGED
