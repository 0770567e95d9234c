"""What a letter answers: the letter itself where it lies in the same source, else what it quotes.

The child that read the letters says which ones they answer; here those are found and read.
"""

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from re import Pattern
from typing import BinaryIO

from daemon.collecting.mail_files import MBOX
from daemon.collecting.mail_index import MailIndex, Place, head_at
from daemon.collecting.source import FoundFile
from daemon.extracting.errors import ExtractionFailed
from daemon.extracting.extracted import Extracted
from daemon.extracting.extractor import Extractor
from daemon.extracting.mail_turns import Said, spoken
from daemon.extracting.mbox import stretches
from storage.records import SourceSettings

ANSWERS = "answers"  # in `about`
MOST_LETTER_BYTES = 1 << 20  # of a message that is answered: text comes before attachments
MOST_CONTEXT_BYTES = 1 << 20
BATCH_BYTES = 4 << 20
MOST_REFRESHING = 0.05  # of the time, however many letters answer one that is not there
FROM_LINE = b"From - Mon Mar  3 10:00:00 2025\n"
_DIGEST = re.compile(r"[0-9a-f]{16}")

Open = Callable[[str], AbstractContextManager[BinaryIO | None]]


class Answers:
    """
    Args:
        files: all files of the source, as they are now.
        open_file: one of them, also when its program has renamed it; None where that cannot be.
        go_on: raises when somebody wants all this to end.
    """

    def __init__(
        self,
        settings: SourceSettings,
        extractor: Extractor,
        *,
        me: "Pattern[bytes]",
        files: Callable[[], Iterable[FoundFile]],
        open_file: Open,
        kind_of: Callable[[str], str | None],
        go_on: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._extractor = extractor
        self._me = me
        self._files = files
        self._open = open_file
        self._kind_of = kind_of
        self._index = MailIndex(me, open_file, kind_of, go_on)
        self._refresh_at = 0.0

    def paired(self, letters: list[Extracted]) -> list[Extracted]:
        """The same letters, each with what it answers as the other's turn where that is known."""
        wanted = {digest for letter in letters for digest in _answered(letter)}
        found = self._index.find(wanted)
        if wanted - found.keys() and self._refresh():
            found = self._index.find(wanted)
        nearest = [next((one for one in _answered(each) if one in found), None) for each in letters]
        others = {one: found[one] for one in nearest if one is not None and not found[one].mine}
        contexts = self._contexts(others)
        pairs = zip(letters, nearest)
        return [
            _paired(each, one, mine=one not in others, contexts=contexts) for each, one in pairs
        ]

    def _refresh(self) -> bool:
        """Whether the index was looked over; most letters that are not found are not there."""
        begun = time.monotonic()
        if begun < self._refresh_at:
            return False
        self._index.refresh(self._files())
        done = time.monotonic()
        self._refresh_at = done + (done - begun) / MOST_REFRESHING
        return True

    def _contexts(self, places: Mapping[int, Place]) -> dict[int, str]:
        """What others wrote there, by digest; some megabytes at a time go to the child."""
        contexts: dict[int, str] = {}
        if sys.platform != "linux":  # no files in memory there: what is quoted has to do
            return contexts
        batch: list[bytes] = []
        for digest, place in sorted(places.items(), key=lambda one: (one[1].path, one[1].offset)):
            message = self._message(digest, place)
            if batch and sum(map(len, batch)) + len(message) > BATCH_BYTES:
                contexts.update(self._read(batch))
                batch = []
            batch += [message] * bool(message)
        contexts.update(self._read(batch) if batch else {})
        return contexts

    def _message(self, digest: int, place: Place) -> bytes:
        """The beginning of a message, which holds its text; empty if it is not there any more."""
        with self._open(place.path) as file:
            if file is None:
                return b""
            size = min(MOST_LETTER_BYTES, os.fstat(file.fileno()).st_size - place.offset)
            if self._kind_of(place.path) == MBOX:
                end = place.offset + max(size, 0)
                stretch = next(stretches(file, start=place.offset, end=end), None)
                size = stretch.size if stretch else 0
            if head_at(file, self._me, start=place.offset, size=size).digest != digest:
                return b""  # the file is not what it was
            file.seek(place.offset)
            return file.read(size) or b""

    def _read(self, messages: list[bytes]) -> dict[int, str]:
        with _in_memory(messages) as (descriptor, size):
            letters = self._extractor.documents(
                descriptor,
                format="letters",
                source=self._settings,
                path="",
                size=size,
                most_bytes=MOST_CONTEXT_BYTES,
            )
            contexts: dict[int, str] = {}
            with contextlib.suppress(ExtractionFailed):  # those before it are good
                for letter in letters:
                    if _DIGEST.fullmatch(letter.path_suffix):
                        contexts[int(letter.path_suffix, 16)] = letter.text
            return contexts


def _paired(
    letter: Extracted, answered: int | None, *, mine: bool, contexts: Mapping[int, str]
) -> Extracted:
    about = {key: value for key, value in letter.about.items() if key != ANSWERS}
    letter = replace(letter, about=about)
    if answered is None or not (mine or answered in contexts):
        return letter
    parts = [letter.text[turn.start : turn.end] for turn in letter.turns if turn.own]
    own = "\n\n".join(parts) or letter.text
    if mine:  # the user goes on with what he wrote before: nobody else says anything
        return replace(letter, text=own, turns=())
    said = (
        Said(own=False, speaker="A", text=contexts[answered]),
        Said(own=True, speaker="me", text=own),
    )
    text, turns = spoken(said)
    return replace(letter, text=text, turns=turns)


@contextlib.contextmanager
def _in_memory(messages: list[bytes]) -> Iterator[tuple[int, int]]:
    """The messages as an mbox that lies in no file system, at its beginning; and its size."""
    parts = [
        part
        for message in messages
        for part in (b"" if message.startswith(b"From ") else FROM_LINE, message, b"\n\n")
    ]
    descriptor = os.memfd_create("letters")
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.writelines(parts)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor, sum(map(len, parts))
    finally:
        os.close(descriptor)


def _answered(letter: Extracted) -> list[int]:
    words = letter.about.get(ANSWERS, "").split()
    return [int(word, 16) for word in words if _DIGEST.fullmatch(word)]
