"""Plain text of any encoding."""

from collections.abc import Iterator
from typing import BinaryIO

from daemon.collecting.decoding import decode
from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted, Facts


def extract(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    data = file.read(facts.most_bytes + 1)
    if len(data) > facts.most_bytes:
        raise Unreadable(SkipReason.TOO_LARGE)
    text = decode(data)
    if isinstance(text, SkipReason):
        raise Unreadable(text)
    yield Extracted(text=text)
