"""PDF with a text layer: the words of its pages as paragraphs. Pictures of pages give none."""

import logging
import re
from collections.abc import Iterator
from typing import BinaryIO

from pypdf import PasswordType, PdfReader
from pypdf.errors import LimitReachedError, PyPdfError

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.paragraphs import Paragraphs, about, of_worth
from daemon.extracting.pdf_lines import paragraphs

MOST_PAGES = 5_000
_STRANGE = re.compile(r"[\ue000-\uf8ff\ufffd\x00-\x08\x0e-\x1f]|/[gG]\d{1,5}\b|\(cid:\d+\)")
_STRANGE_SHARE = 0.2  # fonts that tell no letters give signs without a meaning


def extract(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its messages quote the file
    try:
        reader = PdfReader(file, strict=False)
        if reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED:
            raise Unreadable(SkipReason.ENCRYPTED)
        pages = list(_texts(reader, facts.most_bytes))
        known = _about(reader)
    except LimitReachedError:
        raise Unreadable(SkipReason.BOMB) from None
    text = Paragraphs(facts.most_bytes)
    for paragraph in paragraphs(pages):
        text.add(paragraph)
    yield Extracted(text=of_worth(_of_letters(text.text())), about=known)


def _texts(reader: PdfReader, most_bytes: int) -> Iterator[str]:
    size = 0
    for number, page in enumerate(reader.pages):
        if number >= MOST_PAGES:
            raise Unreadable(SkipReason.TOO_LARGE)
        text = page.extract_text()
        size += len(text)
        if size > most_bytes:
            raise Unreadable(SkipReason.TOO_LARGE)
        yield text


def _about(reader: PdfReader) -> dict[str, str]:
    """A damaged title is no reason to leave a text out."""
    title = language = None
    try:
        title = reader.metadata.title if reader.metadata else None
        language = reader.root_object.get("/Lang")
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return about(
        title=title if isinstance(title, str) else None,
        language=str(language) if isinstance(language, str) else None,
        format="pdf",
    )


def _of_letters(text: str) -> str:
    strange = sum(len(found) for found in _STRANGE.findall(text))
    if strange > _STRANGE_SHARE * len(text):
        raise Unreadable(SkipReason.NO_TEXT)
    return text
