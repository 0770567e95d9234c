"""The text of a large file, piece by piece: byte order marks, UTF-8, UTF-16, else a guess.

What does not fit the encoding becomes U+FFFD: a few broken bytes cost a few characters, not a file.
"""

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO

from daemon.collecting.decoding import MARKS, decode
from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable

PIECE_BYTES = 1 << 20
_SAMPLE_BYTES = 1 << 20
_BROKEN_SHARE = 0.1  # of what is not ASCII; an old 8-bit text read as UTF-8 is nearly all broken
_OLD = ("cp1252", "cp1251", "cp1256", "cp1250")


def text_pieces(file: BinaryIO, piece_bytes: int = PIECE_BYTES) -> Iterator[str]:
    """All of the file from its beginning, without its mark.

    Raises:
        Unreadable: no text of any encoding.
    """
    skip, encoding = _encoding(file)
    file.seek(skip)
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    while data := file.read(piece_bytes):
        yield decoder.decode(data)
    yield decoder.decode(b"", final=True)


def text_lines(file: BinaryIO, *, longest: int) -> Iterator[str]:
    """Lines without their ends; of a longer one the first `longest` characters.

    Raises as `text_pieces` does.
    """
    held = ""
    cutting = False  # within a line whose beginning was given already
    for piece in text_pieces(file):
        held += piece
        whole, line_end, rest = held.rpartition("\n")
        if line_end:
            lines = whole.split("\n")
            for line in lines[1:] if cutting else lines:
                yield line.removesuffix("\r")[:longest]
            held, cutting = rest, False
        if len(held) > longest and not cutting:
            yield held[:longest]
            cutting = True
        if cutting:
            held = ""
    if held and not cutting:
        yield held.removesuffix("\r")


def _encoding(file: BinaryIO) -> tuple[int, str]:
    """Bytes of a mark to leave out, and the encoding."""
    file.seek(0)
    sample = file.read(_SAMPLE_BYTES)
    for mark, encoding in MARKS:
        if sample.startswith(mark):
            return len(mark), encoding
    if b"\0" in sample[:1000]:
        even, odd = sample[0::2].count(0), sample[1::2].count(0)
        if even + odd < len(sample) // 8:
            raise Unreadable(SkipReason.BINARY)
        return 0, "utf-16-le" if odd > even else "utf-16-be"
    text = io.TextIOWrapper(io.BytesIO(sample), encoding="utf-8", errors="replace").read()
    broken = text.count("�")
    strange = len(text.encode("ascii", "ignore"))
    if broken <= max(2.0, _BROKEN_SHARE * (len(text) - strange)):
        return 0, "utf-8"
    guessed = decode(sample)
    if isinstance(guessed, SkipReason):
        raise Unreadable(guessed)
    for encoding in _OLD:
        with_that = sample.decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n")
        if with_that == guessed:
            return 0, encoding
    return 0, "cp1252"
