"""A folder as people have it: every format through the real child, every bad file by its name."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.collecting.batching import read_batches
from daemon.collecting.folder_source import FolderSource
from daemon.collecting.skipping import SkipReason
from daemon.collecting.source import FoundFile
from daemon.extracting.extractor import Extractor
from daemon.trial import try_alone, try_file
from storage.records import CollectedDocument
from tests.daemon.collecting.parts import LIMIT, source_settings, write
from tests.daemon.extracting.papers import (
    LETTER,
    docx_of,
    epub_of,
    locked_pdf,
    odt_of,
    pdf_of,
    pdf_with,
    rezipped,
    scanned_pdf,
    zip_of,
)

PARAGRAPH = f"<p>{LETTER}</p>"
MARKDOWN_CELL = {"cell_type": "markdown", "source": LETTER}
GOOD = {
    "a.txt": LETTER.encode(),
    "a.md": f"---\ntitle: Brief\n---\n{LETTER}".encode(),
    "a.markdown": LETTER.encode("utf-16"),
    "a.rst": f".. a comment\n\n{LETTER}".encode(),
    "a.org": f"#+TITLE: Brief\n{LETTER}".encode(),
    "a.tex": f"\\begin{{document}}{LETTER}\\end{{document}}".encode(),
    "a.html": f"<meta charset=utf-8>{PARAGRAPH}".encode(),
    "A.HTM": PARAGRAPH.encode(),
    "a.docx": docx_of(LETTER),
    "a.odt": odt_of(LETTER),
    "a.pdf": pdf_of([LETTER.replace("שלום", "שלום"[::-1])]),
    "a.epub": epub_of({"eins": PARAGRAPH}),
    "a.ipynb": json.dumps({"cells": [MARKDOWN_CELL]}).encode(),
}
MANY_ENTRIES: dict[str, str | bytes] = {f"{number}.xhtml": "" for number in range(2000)}
BAD = {
    "scan.pdf": (scanned_pdf(), "no_text"),
    "locked.pdf": (locked_pdf(pdf_of(["x"]), "geheim"), "encrypted"),
    "loop.pdf": (
        pdf_with(["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[2 0 R]>>"]),
        "damaged",
    ),
    "torn.pdf": (pdf_of(["x"])[:200], "damaged"),
    "entities.docx": (
        rezipped(docx_of("x"), {"word/document.xml": "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"}),
        "damaged",
    ),
    "bomb.docx": (rezipped(docx_of("x"), {"word/media/a.bmp": bytes(20_000_000)}), "bomb"),
    "torn.docx": (docx_of("x")[:2000], "damaged"),
    "torn.odt": (odt_of("x")[:900], "damaged"),
    "many.epub": (epub_of({"eins": PARAGRAPH}, more=MANY_ENTRIES), "bomb"),
    "nested.epub": (
        epub_of({"eins": ""}, more={"OEBPS/eins.xhtml": zip_of({"a": "b"})}),
        "bomb",
    ),
    "lying.docx": (pdf_of(["x"]), "damaged"),
    "lying.pdf": (docx_of("x"), "damaged"),
    "lying.odt": (docx_of("x"), "unknown_format"),
    "lying.txt": (docx_of("x"), "binary"),
    "lying.ipynb": (b"{'cells': 3", "damaged"),
    "lying.html": (zip_of({"a": "b" * 99}), "damaged"),
    "empty.docx": (b"", "empty"),
    "bare.md": (b"---\ntitle: nothing below\n---\n", "empty"),
    "off.html": (f"<!-- nightloom: off -->\n{PARAGRAPH}".encode(), "marked"),
    "off.tex": (b"% nightloom: off\nwords", "marked"),
    "off.docx": (docx_of("nightloom: off", "words"), "marked"),
    "off.ipynb": (
        json.dumps({"cells": [MARKDOWN_CELL | {"source": "nightloom: off\n\nwords"}]}).encode(),
        "marked",
    ),
}


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    made = Extractor()
    yield made
    made.close()


def collected(source: FolderSource) -> tuple[dict[str, CollectedDocument], dict[str, str]]:
    documents, skipped = {}, {}
    for find in source.scan():
        assert isinstance(find, FoundFile)
        content = source.read(find)
        if isinstance(content, SkipReason):
            skipped[find.path] = str(content)
        else:
            (documents[find.path],) = content.documents
    return documents, skipped


def test_every_format_gives_the_same_letter(tmp_path: Path, extractor: Extractor) -> None:
    for name, data in GOOD.items():
        write(tmp_path / name, data)
    settings = source_settings(tmp_path, own=False)
    source = FolderSource(settings, most_bytes=LIMIT, extractor=extractor)

    documents, skipped = collected(source)

    assert skipped == {}
    assert {name: one.text.strip() for name, one in documents.items()} == dict.fromkeys(
        GOOD, LETTER
    )
    assert not any(document.own for document in documents.values())
    assert [documents[name].about.get("title") for name in ("a.md", "a.org", "a.epub")] == [
        "Brief",
        "Brief",
        "Ein Bienenjahr",
    ]


def test_every_bad_file_costs_one_file_and_is_named(tmp_path: Path, extractor: Extractor) -> None:
    for name, (data, _) in BAD.items():
        write(tmp_path / name, data)
    write(tmp_path / "zoe.md", LETTER)
    source = FolderSource(source_settings(tmp_path), most_bytes=LIMIT, extractor=extractor)

    documents, skipped = collected(source)

    assert skipped == {name: reason for name, (_, reason) in BAD.items()}
    assert documents.keys() == {"zoe.md"}


def test_a_batch_goes_on_after_a_bad_file(tmp_path: Path, extractor: Extractor) -> None:
    write(tmp_path / "a.docx", docx_of("Write to ada@example.org"))
    write(tmp_path / "b.pdf", b"%PDF torn")
    write(tmp_path / "c.odt", odt_of("The end."))
    source = FolderSource(source_settings(tmp_path), most_bytes=LIMIT, extractor=extractor)
    found = [file for file in source.scan() if isinstance(file, FoundFile)]

    (batch,) = read_batches(source, found)

    assert [one.text for one in batch.documents] == ["Write to [email 1]", "The end."]
    assert {file.path: str(reason) for file, reason in batch.skipped.items()} == {
        "b.pdf": "damaged"
    }


def test_files_with_pictures_may_be_larger_and_their_text_may_not(
    tmp_path: Path, extractor: Extractor
) -> None:
    import os

    write(tmp_path / "a.docx", rezipped(docx_of("Words."), {"word/media/a": os.urandom(60_000)}))
    write(tmp_path / "b.tex", "words " * 5_000)
    write(tmp_path / "c.odt", odt_of(*("Many words in it." for _ in range(2_000))))
    write(tmp_path / "d.docx", os.urandom(250_001))
    source = FolderSource(source_settings(tmp_path), most_bytes=25_000, extractor=extractor)

    documents, skipped = collected(source)

    assert documents.keys() == {"a.docx"}
    assert skipped == dict.fromkeys(("b.tex", "c.odt", "d.docx"), "too_large")


def test_without_an_extractor_only_plain_text_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a.docx", docx_of("Words."))
    write(tmp_path / "a.org", "Words.")
    documents, skipped = collected(FolderSource(source_settings(tmp_path), most_bytes=LIMIT))
    assert list(documents) == ["a.org"]
    assert skipped == {"a.docx": "unknown_format"}


def test_privacy_test_shows_what_is_taken_out_and_redacted(tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    file = write(folder / "a.docx", docx_of("Write to ada@example.org soon."))
    settings = source_settings(folder)
    trial = try_file(
        file,
        [settings],
        own_folders=(),
        most_bytes=LIMIT,
        exclusions=(),
        states={"notes": "watching"},
    )
    alone = try_alone(file, most_bytes=LIMIT)

    assert [trial.reason, alone.reason] == ["wanted", "wanted"]
    assert [one.text for one in (*trial.redacted, *alone.redacted)] == [
        "Write to [email 1] soon.",
        "Write to [email 1] soon.",
    ]


def test_what_was_taken_out_lies_nowhere_in_clear(
    tmp_path: Path, extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of a packed file is not in its own bytes, so a copy would be somebody's writing."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    write(tmp_path / "papers/a.docx", docx_of("damson" * 50))
    write(tmp_path / "papers/b.epub", epub_of({"eins": f"<p>{'damson' * 50}</p>"}))
    settings = source_settings(tmp_path / "papers")
    source = FolderSource(settings, most_bytes=LIMIT, extractor=extractor)

    documents, _ = collected(source)

    assert all("damson" in document.text for document in documents.values())
    assert "damson" not in repr(documents)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 2
    assert not any(b"damsondamson" in path.read_bytes() for path in written)
