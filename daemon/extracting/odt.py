"""ODT: paragraphs, headings, lists, tables and notes in their order.

Comments, tracked deletions, headers, footers and generated indexes are left out. A note stands
behind the paragraph that refers to it.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

import odfdo
from odfdo import Element

from daemon.collecting.skipping import SkipReason
from daemon.extracting.archives import Archive, check_archive, open_archive
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.paragraphs import Paragraphs, about, of_worth

_TEXT = b"application/vnd.oasis.opendocument.text"
_MANIFEST = "META-INF/manifest.xml"
MOST_SPACES = 100  # that one element may stand for
_UNREAD = frozenset((
    "office:annotation", "office:annotation-end", "office:forms", "text:alphabetical-index",
    "text:bibliography", "text:illustration-index", "text:object-index", "text:ruby-text",
    "text:sequence-decls", "text:table-index", "text:table-of-content", "text:tracked-changes",
    "text:user-index", "text:variable-decls", "text:note-citation", "svg:title", "svg:desc",
))  # fmt: skip


def extract(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    _refuse_locked(open_archive(file))
    file.seek(0)
    check_archive(file)
    document = odfdo.Document(BytesIO(file.read()))
    reader = _Reader(facts.most_bytes)
    reader.blocks(document.body)
    meta = document.meta
    yield Extracted(
        text=of_worth(reader.found.text()),
        about=about(title=meta.title, language=meta.language, format="odt"),
    )


def _refuse_locked(archive: Archive) -> None:
    """With a password the entries are no XML, and the manifest says how they are locked."""
    kind = archive.read("mimetype") if "mimetype" in archive else b""
    if not kind.startswith(_TEXT):
        raise Unreadable(SkipReason.UNKNOWN_FORMAT)
    if _MANIFEST in archive and b"encryption-data" in archive.read(_MANIFEST):
        raise Unreadable(SkipReason.ENCRYPTED)


class _Reader:
    """Goes through a document's body."""

    def __init__(self, most_bytes: int) -> None:
        self.found = Paragraphs(most_bytes)

    def blocks(self, container: Element, depth: int = -1, *, item: bool = False) -> None:
        """`depth` is that of the list around, `item` whether the next paragraph begins one."""
        for child in container.children:
            if child.tag == "text:h":
                self._heading(child)
            elif child.tag == "text:p":
                self._paragraph(child, depth, item=item)
                item = False
            elif child.tag == "text:list":
                self.blocks(child, depth + 1)
            elif child.tag == "text:list-item":
                self.blocks(child, depth, item=True)
            elif child.tag == "table:table-row":
                cells = [one for one in child.children if one.tag == "table:table-cell"]
                self.found.row(_text_in(cell) for cell in cells)
            elif child.tag not in _UNREAD:
                self.blocks(child, depth)

    def _heading(self, element: Element) -> None:
        level = str(element.get_attribute("text:outline-level") or "1")
        words = _Words()
        words.gather(element)
        self.found.heading(words.text(), int(level) if level.isdecimal() and len(level) < 3 else 1)

    def _paragraph(self, element: Element, depth: int, *, item: bool) -> None:
        words = _Words()
        words.gather(element)
        if item:
            self.found.item(words.text(), max(depth, 0))
        else:
            self.found.add(words.text())
        for aside in words.asides:
            self.blocks(aside)


class _Words:
    """A paragraph's text, and the notes and frames that hang on it."""

    def __init__(self) -> None:
        self.asides: list[Element] = []
        self._pieces: list[str] = []

    def text(self) -> str:
        return "".join(self._pieces)

    def gather(self, element: Element) -> None:
        self._pieces.append(element.text or "")
        for child in element.children:
            if child.tag == "text:s":
                count = str(child.get_attribute("text:c") or "1")
                spaces = int(count) if count.isdecimal() and len(count) < 4 else 1
                self._pieces.append(" " * min(spaces, MOST_SPACES))
            elif child.tag == "text:tab":
                self._pieces.append("\t")
            elif child.tag == "text:line-break":
                self._pieces.append("\n")
            elif child.tag in ("text:note-body", "draw:text-box"):
                self.asides.append(child)
            elif child.tag not in _UNREAD:
                self.gather(child)
            self._pieces.append(child.tail or "")


def _text_in(cell: Element) -> str:
    """All paragraphs of a table's cell on one line."""
    reader = _Reader(1 << 20)
    reader.blocks(cell)
    return " ".join(reader.found.text().split())
