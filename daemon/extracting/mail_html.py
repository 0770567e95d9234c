"""A letter in HTML as lines of text, with quotes marked by `>` as in plain letters. Pure."""

import re
from typing import Any

from lxml import etree

from daemon.extracting.html_text import tree_of

MOST_DEPTH = 9  # of quotes; deeper ones are as deep as that
_BLOCKS = frozenset((
    "address", "article", "blockquote", "body", "center", "dd", "div", "dl", "dt", "fieldset",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p",
    "pre", "section", "table", "td", "th", "tr", "ul",
))  # fmt: skip
_APART = frozenset(("blockquote", "p", "pre", "ul", "ol", "table", "h1", "h2", "h3", "h4", "hr"))
_UNREAD = frozenset((
    "audio", "button", "canvas", "embed", "head", "iframe", "math", "noscript", "object", "script",
    "select", "style", "svg", "template", "textarea", "title", "video",
))  # fmt: skip
_SIGNATURE = re.compile(
    r"\b(?:gmail_signature|moz-signature|protonmail_signature_block|tutanota_signature|"
    r"x_signature)\b",
    re.IGNORECASE,
)
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)


def lines_of(source: str) -> str:
    """The text that a reader sees. Raises Unreadable where there is none."""
    tree = tree_of(source)
    lines = _Lines()
    pre = 0
    walk = etree.iterwalk(tree, events=("start", "end"))
    for event, element in walk:
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start":
            if tag in _UNREAD or _is_left_out(element):
                walk.skip_subtree()
                continue
            pre += tag == "pre"
            lines.depth += tag == "blockquote"
            if tag in _BLOCKS:
                lines.end(apart=tag in _APART)
            elif tag == "br":
                lines.end(empty=True)
            if tag == "li":
                lines.add("- ")
            lines.add(_words(element.text, pre))
        else:
            if tag not in _UNREAD and not _is_left_out(element):
                pre -= tag == "pre"
                if tag in _BLOCKS:
                    lines.end(apart=tag in _APART)
                lines.depth -= tag == "blockquote"
            if element is not tree:
                lines.add(_words(element.tail, pre))
    lines.end()
    return "\n".join(lines.whole)


class _Lines:
    def __init__(self) -> None:
        self.whole: list[str] = []
        self.depth = 0
        self._pieces: list[str] = []

    def add(self, words: str) -> None:
        self._pieces.append(words)

    def end(self, *, apart: bool = False, empty: bool = False) -> None:
        """The line is over. `apart`: an empty one follows; `empty`: it counts without words."""
        text = "".join(self._pieces)
        self._pieces = []
        mark = "> " * min(self.depth, MOST_DEPTH)
        if text.strip() or empty:
            self.whole += [mark + part.rstrip() for part in text.lstrip(" ").split("\n")]
        if apart and self.whole and self.whole[-1].strip("> "):
            self.whole.append(mark.rstrip())


def _is_left_out(element: Any) -> bool:
    if _HIDDEN.search(element.get("style") or ""):
        return True
    return bool(_SIGNATURE.search(element.get("class") or "")) or (
        element.get("id") in ("Signature", "signature", "ms-outlook-mobile-signature")
    )


def _words(text: str | None, pre: int) -> str:
    text = (text or "").replace("\u00a0", " ")
    return text if pre else re.sub(r"[ \t\r\n\f]+", " ", text)
