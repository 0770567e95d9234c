"""Where the messages of a source lie, by their Message-IDs, so that what was answered can be found.

In memory only, 16 bytes for each message and about 80 more where it is a file by itself: nothing
about who writes to whom is kept. Knows a message's digest and place, and whether it is the user's.
"""

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from hashlib import sha256
from re import Pattern
from typing import BinaryIO

from daemon.collecting.mail_files import MBOX, stable_name
from daemon.collecting.mail_growth import Seen, begin_of_new, seen_to
from daemon.collecting.source import FoundFile
from daemon.extracting.mail_heads import HEAD_BYTES, Head, head_of
from daemon.extracting.mbox import Stretch, is_mbox, stretches

MOST_MESSAGES = 1_000_000  # in mbox files; the oldest go first
MOST_FILES = 200_000  # that are a message each; more are not looked into
_FIRST_BYTES = 8192  # of a message: nearly always its whole head
_OFFSET_BITS = 44
_SINGLE = 1 << 63  # of a place: a file with one message

Open = Callable[[str], AbstractContextManager[BinaryIO | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    path: str = field(repr=False)  # as it was when it was looked at
    offset: int
    mine: bool


@dataclass(slots=True, kw_only=True)
class _Mbox:
    number: int
    stamp: tuple[int, int] = (0, 0)  # of the file when all of it was looked into
    seen: Seen | None = None


class MailIndex:
    """
    Args:
        me: finds the user's addresses in a header.
        open_file: a file of the source, for reading; None where that cannot be.
        kind_of: how mail lies in a file.
        go_on: raises when somebody wants all this to end; what was not looked into is so next time.
    """

    def __init__(
        self,
        me: "Pattern[bytes]",
        open_file: Open,
        kind_of: Callable[[str], str | None],
        go_on: Callable[[], None],
    ) -> None:
        self._me = me
        self._open = open_file
        self._kind_of = kind_of
        self._go_on = go_on
        self._mboxes: dict[str, _Mbox] = {}
        self._mbox_paths: list[str] = []  # by number
        self._singles = array("Q")  # digests of stable names, by number
        self._single_ends = array("Q")  # of paths in the next
        self._single_paths = bytearray()
        self._digests = array("Q")
        self._places = array("Q")

    def find(self, wanted: Collection[int]) -> dict[int, Place]:
        """Those of the wanted messages that are known."""
        asked = set(wanted)
        found: dict[int, Place] = {}
        for at, digest in enumerate(self._digests) if asked else ():
            if digest in asked and digest not in found:
                found[digest] = self._place(self._places[at])
        return found

    def refresh(self, files: Iterable[FoundFile]) -> None:
        """Look into what is new among all files of the source."""
        singles = set(self._singles)
        mboxes: set[str] = set()
        for file in files:
            self._go_on()
            if self._kind_of(file.path) == MBOX:
                mboxes.add(file.path)
                self._look_into(file)
            elif (name := _digest(stable_name(file.path))) not in singles:
                self._add_single(file, name)
        gone = [path for path in self._mboxes if path not in mboxes]
        self._forget({self._mboxes.pop(path).number for path in gone})

    def _place(self, packed: int) -> Place:
        if packed & _SINGLE:
            number = (packed ^ _SINGLE) >> 1
            begin = self._single_ends[number - 1] if number else 0
            path = self._single_paths[begin : self._single_ends[number]]
            return Place(
                path=path.decode("utf-8", "surrogateescape"), offset=0, mine=bool(packed & 1)
            )
        return Place(
            path=self._mbox_paths[packed >> (_OFFSET_BITS + 1)],
            offset=(packed >> 1) & ((1 << _OFFSET_BITS) - 1),
            mine=bool(packed & 1),
        )

    def _look_into(self, file: FoundFile) -> None:
        """An mbox: all of it, or what was added."""
        known = self._mboxes.get(file.path)
        stamp = (file.size, file.mtime_ns)
        if known is not None and known.stamp == stamp:
            return
        with self._open(file.path) as opened:
            if opened is None:
                return
            begin = begin_of_new(opened, file.size, file.mtime_ns, known.seen if known else None)
            if known is None:
                known = self._mboxes[file.path] = _Mbox(number=len(self._mbox_paths))
                self._mbox_paths.append(file.path)
            elif not begin:
                self._forget({known.number})
            for stretch, head in heads_in(opened, self._me, start=begin, end=file.size):
                self._go_on()
                place = (known.number << (_OFFSET_BITS + 1)) | (stretch.start << 1) | head.mine
                if place < _SINGLE:
                    self._add(head, place)
            known.stamp, known.seen = stamp, seen_to(opened, file.size, file.mtime_ns)

    def _add_single(self, file: FoundFile, name: int) -> None:
        if len(self._singles) >= MOST_FILES:
            return
        with self._open(file.path) as opened:
            if opened is None:
                return
            head = head_at(opened, self._me, start=0, size=file.size)
        self._add(head, _SINGLE | (len(self._singles) << 1) | head.mine)
        self._singles.append(name)
        self._single_paths += file.path.encode("utf-8", "surrogateescape")
        self._single_ends.append(len(self._single_paths))

    def _add(self, head: Head, place: int) -> None:
        if head.digest is None:
            return
        self._digests.append(head.digest)
        self._places.append(place)
        if len(self._digests) > MOST_MESSAGES + MOST_FILES:
            del self._digests[: MOST_MESSAGES // 10]
            del self._places[: MOST_MESSAGES // 10]

    def _forget(self, mboxes: Collection[int]) -> None:
        if not mboxes:
            return
        kept = [
            at
            for at, place in enumerate(self._places)
            if place & _SINGLE or place >> (_OFFSET_BITS + 1) not in mboxes
        ]
        self._digests = array("Q", (self._digests[at] for at in kept))
        self._places = array("Q", (self._places[at] for at in kept))


def heads_in(
    file: BinaryIO, me: "Pattern[bytes]", *, start: int, end: int
) -> Iterator[tuple[Stretch, Head]]:
    """The messages of an mbox between two places, with what their heads say."""
    file.seek(start)
    if not is_mbox(file.read(_FIRST_BYTES) or b""):
        return
    for stretch in stretches(file, start=start, end=end):
        yield stretch, head_at(file, me, start=stretch.start, size=stretch.size)


def head_at(file: BinaryIO, me: "Pattern[bytes]", *, start: int, size: int) -> Head:
    """Of the message there, from as many bytes as it takes to have the whole head."""
    data = b""
    for most in (_FIRST_BYTES, HEAD_BYTES):
        file.seek(start)
        data = file.read(min(most, size)) or b""
        if b"\n\n" in data or b"\n\r\n" in data or len(data) < most:
            break
    return head_of(data, me)


def _digest(name: str) -> int:
    return int.from_bytes(sha256(name.encode("utf-8", "surrogateescape")).digest()[:8], "big")
