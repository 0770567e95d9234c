"""The archives that exports of chats come in: only the chats in them are opened, one by one.

Pictures and sound, of which there may be thousands, are never looked into. What a member says of
its size is checked before, and nothing beyond it is read.
"""

import re
import zipfile
from collections.abc import Iterator
from typing import IO, BinaryIO, cast

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable

MOST_CHATS = 200
MOST_BYTES = 1 << 30  # of all chats together
MOST_RATIO = 100
_RATIO_COUNTS_FROM = 1 << 20  # bytes; small texts may well repeat themselves
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# In the order of preference: a text that somebody sent lies beside the chat itself.
_CHATS = (
    re.compile(r"(?:.*/)?_chat\.txt", re.IGNORECASE),
    re.compile(r"(?:.*/)?conversations(?:-\d+)?\.json", re.IGNORECASE),
    re.compile(r"(?:.*/)?result\.json", re.IGNORECASE),
    re.compile(r"(?:.*/)?[^/]*WhatsApp[^/]*\.txt", re.IGNORECASE),
    re.compile(r"[^/]*\.jsonl", re.IGNORECASE),
    re.compile(r"[^/]*\.txt", re.IGNORECASE),
)


def is_archive(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def chats_in(file: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    """(name, chat) one after the other, each to be read before the next, in `archives.as_damage`.

    Raises:
        Unreadable: damaged, encrypted, a bomb, or without any chat.
    """
    with zipfile.ZipFile(file) as archive:
        for member in _wanted(archive.infolist()):
            with archive.open(member) as chat:
                yield member.filename, cast("BinaryIO", _checked(chat))


def _wanted(members: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    for pattern in _CHATS:
        chats = [one for one in members if pattern.fullmatch(one.filename)]
        chats = [one for one in chats if not one.is_dir() and "__MACOSX/" not in one.filename]
        if chats:
            break
    else:
        raise Unreadable(SkipReason.UNKNOWN_FORMAT)
    if any(one.flag_bits & _ENCRYPTED for one in chats):
        raise Unreadable(SkipReason.ENCRYPTED)
    if any(one.compress_type not in _METHODS for one in chats):
        raise Unreadable(SkipReason.DAMAGED)
    too_many = len(chats) > MOST_CHATS or sum(one.file_size for one in chats) > MOST_BYTES
    if too_many or any(_is_bomb(one) for one in chats):
        raise Unreadable(SkipReason.BOMB)
    return chats


def _is_bomb(member: zipfile.ZipInfo) -> bool:
    size = member.file_size
    return size > _RATIO_COUNTS_FROM and size > MOST_RATIO * max(1, member.compress_size)


def _checked(chat: IO[bytes]) -> IO[bytes]:
    if not chat.seekable():
        raise Unreadable(SkipReason.DAMAGED)
    return chat
