"""When an X server saw input last, by the extension MIT-SCREEN-SAVER: the oldest way.

Speaks the few messages of the X11 protocol that it takes, over the server's socket: Xlib would end
the whole process when the server ends. Only for sessions that are X11 through and through; the X
server inside a Wayland desktop sees a part of the input alone.
"""

import asyncio
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.conditions.presence import Sighting, by_time
from daemon.conditions.presence_sessions import Session

ANSWER_SECONDS = 5.0
SOCKETS = Path("/tmp/.X11-unix")  # noqa: S108 - where X servers put theirs
COOKIE = b"MIT-MAGIC-COOKIE-1"
EXTENSION = b"MIT-SCREEN-SAVER"
_REPLY_BYTES = 32


class NoX11(Exception):  # noqa: N818 - says what happened
    """There is no such server, it lets nobody in, or it lacks the extension."""


class X11Idle:
    """Args:
    user: whose session it is.
    display: such as `:0`, where logind names none.
    authority: the file with the keys to X servers.
    """

    def __init__(
        self,
        *,
        idle_seconds: float,
        user: int | None = None,
        display: str = "",
        authority: Path | None = None,
        sockets: Path = SOCKETS,
    ) -> None:
        self._idle_seconds = idle_seconds
        self._user = os.getuid() if user is None else user
        self._display = display
        self._authority = authority
        self._sockets = sockets

    async def listen(self, changed: Callable[[], None]) -> None:
        """Nothing to do: it tells nothing by itself."""

    async def look(self, now: float, sessions: Sequence[Session]) -> Sighting | None:
        display = next(
            (
                one.display or self._display
                for one in sessions
                if one.user == self._user and one.kind == "x11" and one.active
            ),
            "" if sessions else self._display,
        )
        number = display.partition(":")[2].partition(".")[0]
        if not display.startswith(":") or not number.isdecimal():
            return None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                idle = await idle_seconds(self._sockets / f"X{number}", self._cookies(number))
        except (NoX11, OSError, TimeoutError, EOFError, struct.error):
            return None
        return by_time("X11", now - idle, now=now, idle_seconds=self._idle_seconds, polled=True)

    def _cookies(self, number: str) -> list[bytes]:
        if self._authority is None:
            return []
        try:
            return list(cookies(self._authority.read_bytes(), number))
        except (OSError, struct.error):
            return []


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    data: int  # the byte in its head
    body: bytes  # from its ninth byte on


async def idle_seconds(socket: Path, keys: Sequence[bytes]) -> float:
    """Since the last input, told by the server at a socket.

    Raises: NoX11, OSError, EOFError.
    """
    for key in [*keys, b""]:  # the last without any: for servers that look at who asks
        reader, writer = await asyncio.open_unix_connection(socket)
        try:
            root = await _greeted(reader, writer, key)
            if root is None:
                continue
            extension = await _asked(
                reader, writer, struct.pack("<BxHHxx", 98, 6, len(EXTENSION)) + EXTENSION
            )
            present, major = extension.body[0], extension.body[1]
            if not present:
                raise NoX11
            info = await _asked(reader, writer, struct.pack("<BBHI", major, 1, 2, root))
            (milliseconds,) = struct.unpack_from("<I", info.body, 8)
            return float(milliseconds) / 1000
        finally:
            writer.close()
    raise NoX11


async def _greeted(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes
) -> int | None:
    """The number of the first root window; None where the key does not open."""
    name = COOKIE if key else b""
    head = struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(name), len(key))
    writer.write(head + _padded(name) + _padded(key))
    await writer.drain()
    status, words = struct.unpack("<B5xH", await reader.readexactly(8))
    setup = await reader.readexactly(4 * words)
    if status != 1:
        return None
    vendor_bytes, formats = struct.unpack_from("<H", setup, 16)[0], setup[21]
    return int(struct.unpack_from("<I", setup, 32 + _even(vendor_bytes) + 8 * formats)[0])


async def _asked(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> _Reply:
    writer.write(request)
    await writer.drain()
    while True:
        head = await reader.readexactly(_REPLY_BYTES)
        if head[0] == 0:  # an error
            raise NoX11
        if head[0] == 1:
            (words,) = struct.unpack_from("<I", head, 4)
            return _Reply(data=head[1], body=head[8:] + await reader.readexactly(4 * words))
        # anything else is an event that nobody asked for


def cookies(authority: bytes, display: str) -> Iterator[bytes]:
    """The keys for a display in an Xauthority file: family, then address, number, name and key,
    each behind its length, all in network order."""
    place = 0
    while place + 2 <= len(authority):
        place += 2
        fields = []
        for _ in range(4):
            (length,) = struct.unpack_from(">H", authority, place)
            fields.append(authority[place + 2 : place + 2 + length])
            place += 2 + length
        _, number, name, key = fields
        if name == COOKIE and number in (display.encode(), b""):
            yield key


def _even(length: int) -> int:
    return (length + 3) // 4 * 4


def _padded(text: bytes) -> bytes:
    return text.ljust(_even(len(text)), b"\0")
