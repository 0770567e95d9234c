"""How far an mbox was read, so that only what was added to it is read next.

Kept in memory: after a start of the service the first change costs a whole reading.
"""

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import BinaryIO

from daemon.extracting.mbox import is_mbox

_TAIL_BYTES = 4096
# What programs write over in place, when a letter was read or answered.
_FLAGS = re.compile(rb"(?mi)^((?:X-Mozilla-)?(?:X-)?(?:Status2?|Keys)):[^\r\n]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Up to where and when, and what stood before that place, without its flags."""

    end: int
    mtime_ns: int
    tail: bytes = field(repr=False)


def seen_to(file: BinaryIO, end: int, mtime_ns: int) -> Seen:
    return Seen(end=end, mtime_ns=mtime_ns, tail=_tail(file, end))


def begin_of_new(file: BinaryIO, size: int, mtime_ns: int, seen: Seen | None) -> int:
    """Where to begin: at what was added, or at the start if more than flags changed before it.

    A file that did not change at all is to be read again as a whole: somebody asked for that.
    """
    if seen is None or size < seen.end or _tail(file, seen.end) != seen.tail:
        return 0
    if size == seen.end:
        return 0 if mtime_ns == seen.mtime_ns else size
    file.seek(seen.end)
    return seen.end if is_mbox(_read(file, _TAIL_BYTES)) else 0


def _tail(file: BinaryIO, end: int) -> bytes:
    start = max(0, end - _TAIL_BYTES)
    file.seek(start)
    return sha256(_FLAGS.sub(rb"\1", _read(file, end - start))).digest()


def _read(file: BinaryIO, size: int) -> bytes:
    pieces = []
    while size > 0 and (piece := file.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
