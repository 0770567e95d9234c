"""A reader of mail that dies of some letters, as a library might."""

import os
from collections.abc import Iterator
from typing import BinaryIO

from daemon.extracting import mail
from daemon.extracting.extracted import Extracted, Facts


def mbox(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    begin = file.tell()
    if b"deadly" in file.read(facts.size):
        os._exit(1)
    file.seek(begin)
    yield from mail.mbox(file, facts)
