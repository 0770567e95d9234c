"""HTML as a tree, and all of its text, block by block. No guess at what is the main part.

For books, whose pages are all main part, and for pages in which no main part is found.
"""

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree, html

from daemon.collecting.decoding import decode
from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.paragraphs import Paragraphs

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "dialog",
    "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header",
    "hgroup", "hr", "html", "legend", "li", "main", "ol", "p", "pre", "section", "summary",
    "table", "tbody", "tfoot", "thead", "tr", "ul", "caption",
))  # fmt: skip
_UNREAD = frozenset((
    "audio", "button", "canvas", "embed", "iframe", "map", "math", "nav", "noscript",
    "object", "option", "script", "select", "style", "svg", "template", "textarea", "title",
    "video",
))  # fmt: skip
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z][\w.:-]{1,40})""", re.ASCII)
_DECLARED_BYTES = 2048
_OLD = re.compile(
    r"(windows-|cp)125\d|iso-?8859-\d+|latin-?\d|us-ascii|koi8-[ru]|gb\w+|big5(-hkscs)?"
    r"|euc-(jp|kr)|shift[-_]jis|macintosh|iso-2022-jp"
)
_WIDER = {"iso-8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252", "us-ascii": "cp1252"}
_EMBEDDED = re.compile(r"data:[\w/+.;=-]{1,100};base64,[A-Za-z0-9+/=%]*")  # pictures, fonts
_XML_DECLARATION = re.compile(r"\s*<\?xml[^>]{0,200}\?>")


def decoded(data: bytes) -> str:
    """The source of a page; an encoding that it names is believed if it fits.

    Raises:
        Unreadable: it is no text, or empty.
    """
    declared = _DECLARED.search(data[:_DECLARED_BYTES])
    name = declared[1].decode("ascii").lower() if declared else ""
    text: str | SkipReason | None = None
    if _OLD.fullmatch(name) and b"\0" not in data:
        try:
            text = data.decode(_WIDER.get(name, name))
        except (UnicodeDecodeError, LookupError):
            text = None
    if text is None:
        text = decode(data)
    if isinstance(text, SkipReason):
        raise Unreadable(SkipReason.NO_TEXT if text is SkipReason.EMPTY else SkipReason.DAMAGED)
    if "base64," in text:
        text = _EMBEDDED.sub("", text)
    return _XML_DECLARATION.sub("", text, count=1)


def tree_of(source: str) -> Any:
    """Raises Unreadable as `no_text` where there is no element in it."""
    parser = html.HTMLParser(no_network=True, remove_comments=True, remove_pis=True)
    try:
        tree = html.document_fromstring(source, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        raise Unreadable(SkipReason.NO_TEXT) from None
    return tree


def title_of(tree: Any) -> str | None:
    found = tree.find(".//title")
    return None if found is None else found.text


def language_of(tree: Any) -> str | None:
    found = tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang")
    return found if isinstance(found, str) else None


def add_text(tree: Any, into: Paragraphs) -> None:
    """All text that a reader of the page sees, in order."""
    for block in _blocks(tree):
        block.add_to(into)


class _Block:
    """A stretch of text between two borders of blocks."""

    __slots__ = ("depth", "heading", "item", "pieces", "pre", "row")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.heading = 0
        self.item = False  # the first block in it
        self.depth = 0  # of the list
        self.pre = False
        self.row: list[str] | None = None  # cells that are whole

    def add_to(self, into: Paragraphs) -> None:
        text = "".join(self.pieces)
        if self.row is not None:
            into.row([*self.row, text])
        elif self.heading:
            into.heading(text, self.heading)
        elif self.item:
            into.item(text, self.depth)
        else:
            into.add(text, as_it_is=self.pre)


def _blocks(tree: Any) -> Iterator[_Block]:
    block, lists, pre, rows = _Block(), 0, 0, 0
    walk = etree.iterwalk(tree, events=("start", "end"))
    for event, element in walk:
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start" and tag in _UNREAD:
            walk.skip_subtree()
            continue
        if tag not in _UNREAD:
            step = 1 if event == "start" else -1
            lists += step * (tag in ("ul", "ol"))
            pre += step * (tag == "pre")
            rows += step * (tag == "tr")
            if tag in ("td", "th") and rows:
                if event == "end" and block.row is not None:
                    block.row.append(" ".join("".join(block.pieces).split()))
                    block.pieces = []
            elif tag == "br":
                block.pieces += "\n" * (event == "start")
            elif (tag in _BLOCKS or tag in _HEADINGS) and (not rows or tag == "tr"):
                begun = block.item and not "".join(block.pieces).strip()  # `<li><p>`
                yield block
                block = _Block()
                block.pre, block.depth = pre > 0, max(lists - 1, 0)
                block.item = event == "start" and (tag == "li" or begun)
                block.heading = _HEADINGS.get(tag, 0) if event == "start" else 0
                block.row = [] if rows else None
            elif tag in _BLOCKS and rows:
                block.pieces.append(" ")
            if event == "start":
                block.pieces.append(_words(element.text, pre))
        if event == "end" and element is not tree:
            block.pieces.append(_words(element.tail, pre))
    yield block


def _words(text: str | None, pre: int) -> str:
    """Line ends in the source are spaces but in `pre`; those in the text come of `br`."""
    return text or "" if pre else re.sub(r"[ \t\r\n\f]+", " ", text or "")
