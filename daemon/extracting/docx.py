"""DOCX: paragraphs, headings, lists, tables and notes in their order.

Comments, tracked deletions, hidden text, headers, footers and tables of contents are left out. A
note stands behind the paragraph that refers to it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import docx

from daemon.extracting.archives import check_archive, xml_tree
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.paragraphs import Paragraphs, about, of_worth

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_CHOICE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Choice"
_ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_CONTENTS = re.compile(r"toc \d|toc heading|table of figures", re.IGNORECASE)
_AROUND_BLOCKS = frozenset(
    f"{_W}{name}" for name in ("ins", "moveTo", "customXml", "smartTag", "sdt", "sdtContent")
)
_AROUND_RUNS = _AROUND_BLOCKS | {f"{_W}{name}" for name in ("hyperlink", "fldSimple", "dir", "bdo")}
_NOTE_KINDS = {f"{_W}footnoteReference": "footnotes", f"{_W}endnoteReference": "endnotes"}
_SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}


@dataclass(slots=True)
class _Style:
    """What a paragraph's style says of it."""

    level: int = 0  # of a heading
    is_item: bool = False
    is_contents: bool = False


@dataclass(slots=True)
class _Words:
    """A paragraph's text, and what hangs on it."""

    pieces: list[str] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)
    boxes: list[Any] = field(default_factory=list)

    def text(self) -> str:
        return "".join(self.pieces)


def extract(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    check_archive(file)
    document = docx.Document(file)
    reader = _Reader(document, facts.most_bytes)
    reader.blocks(document.element.body)
    known = document.core_properties
    yield Extracted(
        text=of_worth(reader.found.text()),
        about=about(title=known.title, language=known.language, format="docx"),
    )


class _Reader:
    """Goes through a document's body."""

    def __init__(self, document: Any, most_bytes: int) -> None:
        self.found = Paragraphs(most_bytes)
        self._styles = _styles(document)
        self._notes = _notes(document)

    def blocks(self, container: Any) -> None:
        for element in container:
            if element.tag == f"{_W}p":
                self._paragraph(element)
            elif element.tag == f"{_W}tbl":
                self._table(element)
            elif element.tag in _AROUND_BLOCKS:
                self.blocks(element)

    def _paragraph(self, element: Any) -> None:
        style = self._style(element)
        if style.is_contents:
            return
        words = self._words(element)
        if style.level:
            self.found.heading(words.text(), style.level)
        elif style.is_item:
            self.found.item(words.text(), _depth(element))
        else:
            self.found.add(words.text())
        for box in words.boxes:
            self.blocks(box)
        for note in words.notes:
            self.found.add(" ".join(self._all_text(note).split()))

    def _table(self, table: Any) -> None:
        for row in table.iterchildren(f"{_W}tr"):
            cells = list(_through(row, f"{_W}tc"))
            self.found.row(self._all_text(cell) for cell in cells)

    def _all_text(self, element: Any) -> str:
        """Of all paragraphs in a cell or a note."""
        texts = (self._words(one).text() for one in _through(element, f"{_W}p", f"{_W}tbl"))
        return "\n".join(text for text in texts if text)

    def _words(self, element: Any) -> _Words:
        words = _Words()
        self._gather(element, words)
        return words

    def _gather(self, element: Any, words: _Words) -> None:
        for child in element:
            if child.tag == f"{_W}r":
                self._run(child, words)
            elif child.tag in _AROUND_RUNS:
                self._gather(child, words)
            elif child.tag == f"{_W}p" or child.tag == f"{_W}tbl":
                self._gather(child, words)  # a table in a cell
            elif child.tag in (f"{_W}tr", f"{_W}tc"):
                self._gather(child, words)
                words.pieces.append(" ")

    def _run(self, run: Any, words: _Words) -> None:
        if run.find(f"{_W}rPr/{_W}vanish") is not None:
            return
        for child in run:
            name = child.tag.removeprefix(_W) if isinstance(child.tag, str) else ""
            if name == "t":
                words.pieces.append(child.text or "")
            elif name in _SIGNS:
                words.pieces.append(_SIGNS[name])
            elif child.tag in _NOTE_KINDS:
                note = self._notes.get((_NOTE_KINDS[child.tag], child.get(f"{_W}id")))
                words.notes += [note] if note is not None else []
            elif child.tag == _ALTERNATIVES:
                choice = child.find(_CHOICE)
                words.boxes += [] if choice is None else choice.iter(f"{_W}txbxContent")
            elif name in ("drawing", "pict"):
                words.boxes += child.iter(f"{_W}txbxContent")

    def _style(self, paragraph: Any) -> _Style:
        properties = paragraph.find(f"{_W}pPr")
        if properties is None:
            return _Style()
        named = properties.find(f"{_W}pStyle")
        known = self._styles.get(named.get(f"{_W}val")) if named is not None else None
        style = known or _Style()
        if not style.is_item and properties.find(f"{_W}numPr") is not None:
            return _Style(level=style.level, is_item=not style.level)
        return style


def _styles(document: Any) -> dict[str, _Style]:
    found = {}
    for element in document.styles.element.iterchildren(f"{_W}style"):
        named = element.find(f"{_W}name")
        name = named.get(f"{_W}val", "") if named is not None else ""
        heading = _HEADING.match(name)
        found[element.get(f"{_W}styleId")] = _Style(
            level=int(heading[1]) if heading else int(name.lower() == "title"),
            is_item=name.lower().startswith("list ") and name.lower() != "list continue",
            is_contents=_CONTENTS.match(name) is not None,
        )
    return found


def _notes(document: Any) -> dict[tuple[str, str | None], Any]:
    """Footnotes and endnotes by kind and number; separators are none."""
    found = {}
    for relation in document.part.rels.values():
        kind = relation.reltype.rpartition("/")[2]
        if kind in ("footnotes", "endnotes") and not relation.is_external:
            for note in xml_tree(relation.target_part.blob):
                if note.get(f"{_W}type") in (None, "normal"):
                    found[kind, note.get(f"{_W}id")] = note
    return found


def _depth(paragraph: Any) -> int:
    level = paragraph.find(f"{_W}pPr/{_W}numPr/{_W}ilvl")
    value = level.get(f"{_W}val", "") if level is not None else ""
    return int(value) if value.isdecimal() and len(value) < 3 else 0


def _through(element: Any, *tags: str) -> Iterator[Any]:
    """The children of these kinds, also those in what only wraps them."""
    for child in element:
        if child.tag in tags:
            yield child
        elif child.tag in _AROUND_BLOCKS:
            yield from _through(child, *tags)


docx.Document()  # a worker is forked for each file and has what is loaded by then
