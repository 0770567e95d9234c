"""Where the messages of an mbox file lie, found by their `From ` lines, a piece at a time.

A line of a letter may begin with `From ` too: one that begins a message looks like what mail
programs write, follows an empty line or names sender and date in full, and is followed by a header.
Nothing is loaded, so the size of a file makes no difference. Knows nothing of what mail says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

PIECE_BYTES = 1 << 20
MOST_LINE = 1_000  # bytes of a `From ` line and the one after it
_BACK = 2  # bytes before a line end that tell whether the line before it is empty

_FULL = re.compile(
    rb"From \S+\s+(?:\S+ )*?[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d(?::\d\d)?[^\r\n]*\d{4}"
)
_LOOSE = re.compile(rb"From (?:-?[ \t]*\r?$|[^\r\n]*\d{4}[^\r\n]*\r?$)")
_HEADER = re.compile(rb">?From |[!-9;-~]+[ \t]*:")
_QUOTED_FROM = re.compile(rb"(?m)^>(>*From )")


@dataclass(frozen=True, slots=True)
class Stretch:
    """One message with its `From ` line, in bytes of the file."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


def stretches(file: BinaryIO, *, start: int, end: int) -> Iterator[Stretch]:
    """The messages between two places; the first begins where the first `From ` line is."""
    before: int | None = None
    for at in _borders(file, start, end):
        if before is not None:
            yield Stretch(before, at)
        before = at
    if before is not None:
        yield Stretch(before, end)


def is_mbox(beginning: bytes) -> bool:
    """Whether a file begins as an mbox does; empty lines before it do not count."""
    return _begins(beginning.lstrip(b"\r\n"), after_empty=True)


def message_in(data: bytes) -> bytes:
    """A message as it was sent: without its `From ` line and what mbox did to lines like it."""
    if data.startswith(b"From "):
        data = data.partition(b"\n")[2]
    return _QUOTED_FROM.sub(rb"\1", data) if b">From " in data else data


def _borders(file: BinaryIO, start: int, end: int) -> Iterator[int]:
    """Each piece overlaps the next by two lines, so that no `From ` line is cut in half."""
    at, overlap = start, 2 * MOST_LINE
    while at < end:
        file.seek(at)
        piece = _read(file, min(PIECE_BYTES + overlap, end - at))
        if not piece:
            return
        last = at + len(piece) >= end
        limit = len(piece) if last else max(_BACK + 1, len(piece) - overlap)
        if at == start:
            skipped = len(piece) - len(piece.lstrip(b"\r\n"))
            if _begins(piece[skipped : skipped + overlap], after_empty=True):
                yield at + skipped
            found = piece.find(b"\nFrom ", skipped)
        else:
            found = piece.find(b"\nFrom ", _BACK)
        while 0 <= found < limit:
            after_empty = piece[max(0, found - 2) : found].rstrip(b"\r").endswith(b"\n")
            if _begins(piece[found + 1 : found + 1 + overlap], after_empty=after_empty):
                yield at + found + 1
            found = piece.find(b"\nFrom ", found + 1)
        if last:
            return
        at += limit - _BACK


def _begins(data: bytes, *, after_empty: bool) -> bool:
    if not data.startswith(b"From "):
        return False
    line, _, rest = data[: 2 * MOST_LINE].partition(b"\n")
    if len(line) > MOST_LINE or not _HEADER.match(rest):
        return False
    return bool(_FULL.match(line) or (after_empty and _LOOSE.match(line)))


def _read(file: BinaryIO, size: int) -> bytes:
    pieces = []
    while size > 0 and (piece := file.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
