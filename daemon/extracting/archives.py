"""ZIP-based files and the XML in them, opened so that nothing in them can swell.

At most 1,000 entries and 100 MB, counted as it is read and not as the archive says; no entry packed
tighter than a hundredfold; no archive in an archive; no XML with a document type, which is where
entities are declared, in any encoding.
"""

import re
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import BinaryIO
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable

MOST_ENTRIES = 1_000
MOST_BYTES = 100_000_000
MOST_RATIO = 100
RATIO_FROM_BYTES = 1 << 20  # less than this does no harm, and blank pages pack well
MOST_DEPTH = 1_000  # of elements in elements
PIECE_BYTES = 1 << 16

_PLAIN_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED_FLAG = 0x1
_ARCHIVE_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"7z\xbc\xaf", b"Rar!",
                   b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")  # fmt: skip
_OLD_CONTAINER = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # what Office puts around encrypted files
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_XML_NAME = re.compile(r"\.(xml|rels|rdf|opf|ncx)$", re.IGNORECASE)


class Archive:
    """Made by `open_archive`. All that is read of it counts together."""

    def __init__(self, packed: zipfile.ZipFile) -> None:
        self._packed = packed
        self._entries = {one.filename: one for one in packed.infolist() if not one.is_dir()}
        self._read = 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def read(self, name: str) -> bytes:
        """Raises Unreadable: not there, damaged, encrypted, an archive itself, or too much."""
        return b"".join(self.pieces(name))

    def pieces(self, name: str, *, nested: bool = False) -> Iterator[bytes]:
        """Like `read`, one piece after the other; of an archive only where `nested` is meant."""
        entry = self._entries.get(name)
        if entry is None or entry.compress_type not in _PLAIN_METHODS:
            raise Unreadable(SkipReason.DAMAGED)
        if entry.flag_bits & _ENCRYPTED_FLAG:
            raise Unreadable(SkipReason.ENCRYPTED)
        size = 0
        with as_damage(), self._packed.open(entry) as opened:
            while piece := opened.read(PIECE_BYTES):
                if not size and not nested and piece.startswith(_ARCHIVE_STARTS):
                    raise Unreadable(SkipReason.BOMB)
                size += len(piece)
                self._read += len(piece)
                tight = size > RATIO_FROM_BYTES and size > MOST_RATIO * entry.compress_size
                if tight or self._read > MOST_BYTES:
                    raise Unreadable(SkipReason.BOMB)
                yield piece

    def tree(self, name: str) -> Element:
        """The XML of an entry; see `xml_tree`."""
        return _Reader().tree(self.pieces(name))


def open_archive(file: BinaryIO) -> Archive:
    """Raises Unreadable: no archive, encrypted by Office, or too many entries."""
    with as_damage():
        if file.read(len(_OLD_CONTAINER)) == _OLD_CONTAINER:
            file.seek(0)
            hidden = _ENCRYPTED_PACKAGE in file.read(MOST_BYTES)
            raise Unreadable(SkipReason.ENCRYPTED if hidden else SkipReason.UNKNOWN_FORMAT)
        file.seek(0)
        packed = zipfile.ZipFile(file)
    if len(packed.infolist()) > MOST_ENTRIES:
        raise Unreadable(SkipReason.BOMB)
    return Archive(packed)


def check_archive(file: BinaryIO) -> None:
    """Read all of an archive once and keep nothing, for a library that opens it by itself after.

    Pictures in it count, and archives in it are let pass, which such a library does not open. The
    file stands at its beginning again. Raises Unreadable.
    """
    archive = open_archive(file)
    for name in archive.names:
        if _XML_NAME.search(name):
            pieces = archive.pieces(name)
            if first := next(pieces, b""):  # every ODT of LibreOffice has an empty one
                _Reader(build=False).feed(chain((first,), pieces))
        else:
            deque(archive.pieces(name, nested=True), maxlen=0)
    file.seek(0)


def xml_tree(data: bytes) -> Element:
    """The root element; names of namespaces are as ElementTree writes them, `{uri}name`.

    Raises Unreadable: no XML, too deep, or with a document type.
    """
    return _Reader().tree(iter((data,)))


class _Reader:
    """Expat with a handler for what is refused, which the parsers around it do not let us set."""

    def __init__(self, *, build: bool = True) -> None:
        self._builder = TreeBuilder()
        self._depth = 0
        self._build = build
        parser = self._parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        parser.ExternalEntityRefHandler = _refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        if build:
            parser.CharacterDataHandler = self._builder.data

    def feed(self, pieces: Iterator[bytes]) -> None:
        with as_damage():
            for piece in pieces:
                self._parser.Parse(piece, False)
            self._parser.Parse(b"", True)

    def tree(self, pieces: Iterator[bytes]) -> Element:
        self.feed(pieces)
        with as_damage():
            return self._builder.close()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise Unreadable(SkipReason.BOMB)
        if self._build:
            named = {_named(key): value for key, value in attributes.items()}
            self._builder.start(_named(name), named)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._build:
            self._builder.end(_named(name))


def _named(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def _refuse(*_: object) -> int:
    raise Unreadable(SkipReason.DAMAGED)


@contextmanager
def as_damage() -> Iterator[None]:
    """Within, what the libraries raise at broken data leaves as `Unreadable`."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        expat.ExpatError,
        OSError,
        EOFError,
        ValueError,
        LookupError,
        NotImplementedError,
        AssertionError,
        RuntimeError,
    ):
        raise Unreadable(SkipReason.DAMAGED) from None
