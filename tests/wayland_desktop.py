"""A Wayland desktop with a seat and `ext_idle_notifier_v1`, and nothing else: as much of the
protocol as a client needs that wants to know when the user goes and comes.

    async with wayland_desktop(folder / "wayland-0") as desktop:
        ...
        desktop.tell(idle=True)
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

DISPLAY = 1  # the object that every client knows
SYNC, GET_REGISTRY = 0, 1  # what is asked of it
BIND = 0  # of the registry
GET_IDLE_NOTIFICATION = 1  # of the notifier
GLOBAL, GLOBAL_REMOVE, DONE, IDLED, RESUMED = 0, 1, 0, 0, 1  # what is told
SEAT, NOTIFIER = 1, 2  # the names of what there is
HEAD = struct.Struct("=IHH")  # object, opcode, bytes


@dataclass(slots=True, kw_only=True)
class WaylandDesktop:
    bare: bool  # without the protocol
    silent: bool = False  # takes connections and says nothing
    milliseconds: list[int] = field(default_factory=list)  # that were asked for
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    _clients: list[asyncio.StreamWriter] = field(default_factory=list, repr=False)
    _registries: list[tuple[asyncio.StreamWriter, int]] = field(default_factory=list, repr=False)
    _notifications: list[tuple[asyncio.StreamWriter, int]] = field(default_factory=list, repr=False)

    def tell(self, *, idle: bool) -> None:
        for writer, number in self._notifications:
            _send(writer, number, IDLED if idle else RESUMED, b"")

    def take_the_seat_away(self) -> None:
        for writer, registry in self._registries:
            _send(writer, registry, GLOBAL_REMOVE, struct.pack("=I", SEAT))

    def end(self) -> None:
        """Its clients lose it."""
        for writer in self._clients:
            writer.close()
        self._clients.clear()
        self._notifications.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.append(writer)
        kinds = {DISPLAY: "display"}
        try:
            while True:
                number, opcode, size = HEAD.unpack(await reader.readexactly(HEAD.size))
                body = await reader.readexactly(size - HEAD.size)
                self._take(writer, kinds, number, opcode, body)
        except (EOFError, ConnectionError, asyncio.CancelledError):
            writer.close()  # the client went, or the test is over

    def _take(
        self,
        writer: asyncio.StreamWriter,
        kinds: dict[int, str],
        number: int,
        opcode: int,
        body: bytes,
    ) -> None:
        if self.silent:
            return
        match kinds.get(number), opcode:
            case "display", 0:  # SYNC
                _send(writer, struct.unpack("=I", body)[0], DONE, struct.pack("=I", 0))
            case "display", 1:  # GET_REGISTRY
                (registry,) = struct.unpack("=I", body)
                kinds[registry] = "registry"
                self._registries.append((writer, registry))
                offered = [(SEAT, "wl_seat")]
                if not self.bare:
                    offered.append((NOTIFIER, "ext_idle_notifier_v1"))
                for name, interface in offered:
                    said = struct.pack("=I", name) + _text(interface) + struct.pack("=I", 1)
                    _send(writer, registry, GLOBAL, said)
            case "registry", 0:  # BIND
                kinds[struct.unpack_from("=I", body, len(body) - 4)[0]] = (
                    "seat" if struct.unpack_from("=I", body)[0] == SEAT else "notifier"
                )
            case "notifier", 1:  # GET_IDLE_NOTIFICATION
                notification, milliseconds, seat = struct.unpack("=III", body)
                assert kinds[seat] == "seat"
                self.milliseconds.append(milliseconds)
                self._notifications.append((writer, notification))
                self.asked.set()


def _send(writer: asyncio.StreamWriter, number: int, opcode: int, body: bytes) -> None:
    writer.write(HEAD.pack(number, opcode, HEAD.size + len(body)) + body)


def _text(text: str) -> bytes:
    """Its length with a zero at its end, and as many more as make whole words."""
    data = text.encode() + b"\0"
    return struct.pack("=I", len(data)) + data.ljust((len(data) + 3) // 4 * 4, b"\0")


@asynccontextmanager
async def wayland_desktop(socket: Path, *, bare: bool = False) -> AsyncIterator[WaylandDesktop]:
    desktop = WaylandDesktop(bare=bare)
    server = await asyncio.start_unix_server(desktop.serve, socket)
    try:
        yield desktop
    finally:
        server.close()
        desktop.end()
        socket.unlink(missing_ok=True)  # noqa: ASYNC240 - of a test
