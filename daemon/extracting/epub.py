"""EPUB: the chapters of a book in the order of its spine, as one text.

Tables of contents and pictures are left out. A chapter that is locked makes the book `encrypted`;
fonts that are do no harm.
"""

import posixpath
from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from daemon.collecting.skipping import SkipReason
from daemon.extracting.archives import Archive, open_archive
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.html_text import add_text, decoded, tree_of
from daemon.extracting.paragraphs import Paragraphs, about, of_worth

_CONTAINER = "META-INF/container.xml"
_LOCKS = "META-INF/encryption.xml"
_CHAPTERS = frozenset(("application/xhtml+xml", "text/html", "application/x-dtbook+xml"))


def extract(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    archive = open_archive(file)
    package_path = _package_path(archive)
    package = archive.tree(package_path)
    text = Paragraphs(facts.most_bytes)
    for chapter in _chapters(archive, package, posixpath.dirname(package_path)):
        _add_chapter(archive.read(chapter), text)
    known = about(title=_said(package, "title"), language=_said(package, "language"), format="epub")
    yield Extracted(text=of_worth(text.text()), about=known)


def _add_chapter(data: bytes, text: Paragraphs) -> None:
    """A page without text, such as one with a picture, gives none."""
    try:
        tree = tree_of(decoded(data))
    except Unreadable as why:
        if why.reason is not SkipReason.NO_TEXT:
            raise
        return
    add_text(tree, text)


def _package_path(archive: Archive) -> str:
    for root in _named(archive.tree(_CONTAINER), "rootfile"):
        path = root.get("full-path")
        if path and path in archive:
            return path
    raise Unreadable(SkipReason.DAMAGED)


def _chapters(archive: Archive, package: Element, folder: str) -> Iterator[str]:
    """Names of entries, each once, in the order of reading."""
    items = {item.get("id"): item for item in _named(package, "item")}
    locked = _locked(archive)
    seen: set[str] = set()
    for reference in _named(package, "itemref"):
        item = items.get(reference.get("idref"))
        if item is None or item.get("media-type") not in _CHAPTERS:
            continue
        if "nav" in (item.get("properties") or "").split():
            continue
        path = posixpath.normpath(posixpath.join(folder, unquote(item.get("href") or "")))
        if path in locked:
            raise Unreadable(SkipReason.ENCRYPTED)
        if path not in archive or path in seen:
            continue  # a book with a page missing is still a book
        seen.add(path)
        yield path
    if not seen:
        raise Unreadable(SkipReason.DAMAGED)


def _locked(archive: Archive) -> set[str]:
    if _LOCKS not in archive:
        return set()
    return {
        unquote(one.get("URI") or "") for one in _named(archive.tree(_LOCKS), "CipherReference")
    }


def _said(package: Element, name: str) -> str | None:
    return next((one.text for one in _named(package, name) if one.text), None)


def _named(tree: Element, name: str) -> Iterator[Element]:
    """Whatever namespace or none they are of."""
    return (one for one in tree.iter() if one.tag.rpartition("}")[2] == name)
