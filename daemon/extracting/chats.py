"""Exports of chats: recognises whose export a file is and hands it to the module for it.

The export itself or the archive it came in, of which nothing but the chats is opened.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import BinaryIO

from daemon.collecting.skipping import SkipReason
from daemon.extracting import chatgpt, oasst, telegram, whatsapp
from daemon.extracting.archives import as_damage
from daemon.extracting.chat_archives import chats_in, is_archive
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.json_stream import DamagedJson, JsonStream
from daemon.extracting.text_pieces import text_lines, text_pieces

Reader = Callable[[BinaryIO, Facts], Iterator[Extracted]]

_READERS: dict[str, Reader] = {
    whatsapp.FORMAT: whatsapp.extract,
    telegram.FORMAT: telegram.extract,
    chatgpt.FORMAT: chatgpt.extract,
    oasst.FORMAT: oasst.extract,
}
_FIRST_PIECE_BYTES = 1 << 16
_TELLING = {
    "mapping": chatgpt.FORMAT,
    "chats": telegram.FORMAT,
    "personal_information": telegram.FORMAT,
    "prompt": oasst.FORMAT,
    "message_id": oasst.FORMAT,
    "message_tree_id": oasst.FORMAT,
    "parent_id": oasst.FORMAT,
}


def extract(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    if not is_archive(file):
        yield from _read(file, facts)
        return
    with as_damage():
        yield from _archived(file, facts)


def _archived(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    taken: set[str] = set()
    for number, (_, chat) in enumerate(chats_in(file), start=1):
        for document in _read(chat, facts):
            path = document.path_suffix
            if path in taken:  # in two chats of one archive
                path = f"{path}/{number}"
            taken.add(path)
            yield replace(document, path_suffix=path)


def _read(file: BinaryIO, facts: Facts) -> Iterator[Extracted]:
    reader = _READERS.get(format_of(file) or "")
    if reader is None:
        raise Unreadable(SkipReason.UNKNOWN_FORMAT)
    yield from reader(file, facts)


def format_of(file: BinaryIO) -> str | None:
    """Which export it is, from its beginning; None for none that is known.

    Raises Unreadable where it is no text.
    """
    first_lines = list(islice(text_lines(file, longest=1000), 20))
    if whatsapp.is_whatsapp(first_lines):
        return whatsapp.FORMAT
    stream = JsonStream(text_pieces(file, _FIRST_PIECE_BYTES))
    try:
        if stream.opens() == "[":
            for _ in stream.elements():
                return _of_object(stream)
        return _of_object(stream)
    except DamagedJson:
        return None


def _of_object(stream: JsonStream) -> str | None:
    """By the first name of a member that tells."""
    if stream.opens() != "{":
        return None
    for name in stream.members():
        if name in _TELLING:
            return _TELLING[name]
        if name == "messages" and stream.opens() == "[":
            for _ in stream.elements():
                first = stream.value()
                has_role = isinstance(first, dict) and "role" in first
                return oasst.FORMAT if has_role else telegram.FORMAT
        else:
            stream.skip()
    return None
