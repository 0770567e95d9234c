"""When a Wayland desktop saw input last, by the protocol `ext_idle_notifier_v1` (KDE, Sway,
Hyprland, COSMIC and others; GNOME has its own interface). It tells by itself, and counts what keeps
the screen on as input.

Needs pywayland, which is made for x86_64 only; without it this desktop is not there.
"""

import asyncio
import contextlib
import logging
import socket
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from daemon.conditions.presence import Sighting
from daemon.conditions.presence_sessions import Session

log = logging.getLogger("nightloom.conditions")

ANSWER_SECONDS = 5.0
SOURCE = "Wayland"


class WaylandIdle:
    """Args: runtime: the folder with the desktop's socket; None: there is no such folder."""

    def __init__(self, runtime: Path | None, *, idle_seconds: float) -> None:
        self._runtime = runtime
        self._idle_seconds = idle_seconds
        self._changed: Callable[[], None] = lambda: None
        self._connection: _Connection | None = None
        self._without: set[tuple[str, int]] = set()  # sockets of desktops without the protocol

    async def listen(self, changed: Callable[[], None]) -> None:
        self._changed = changed  # a desktop is looked for at each look

    async def look(self, now: float, sessions: Sequence[Session]) -> Sighting | None:
        if self._connection is None or self._connection.lost:
            self._connection = await self._connected()
        if self._connection is None:
            return None
        return Sighting(source=SOURCE, away=self._connection.idle)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    async def _connected(self) -> "_Connection | None":
        for path, which in self._sockets():
            if which in self._without:
                continue
            connection = await _connect(path, self._idle_seconds, self._changed)
            if connection is None:
                continue  # who does not answer now is asked again at the next look
            if connection.seats:
                return connection
            connection.close()
            self._without.add(which)
        return None

    def _sockets(self) -> list[tuple[Path, tuple[str, int]]]:
        """Those of desktops, and what tells each from one that had the same name before."""
        found = []
        if self._runtime is not None:
            for path in sorted(self._runtime.glob("wayland-*")):
                with contextlib.suppress(OSError):  # it is gone again
                    facts = path.stat()
                    if stat.S_ISSOCK(facts.st_mode):
                        found.append((path, (path.name, facts.st_ino)))
        return found


async def _connect(
    path: Path, idle_seconds: float, changed: Callable[[], None]
) -> "_Connection | None":
    """A connection to a compositor that has told all that it offers; None where none does."""
    try:
        import pywayland  # noqa: F401 - only whether it is there
    except ImportError:
        return None
    reaching = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    reaching.setblocking(False)
    connection = None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await asyncio.get_running_loop().sock_connect(reaching, str(path))
            connection = _Connection(reaching.detach(), int(idle_seconds * 1000), changed)
            await connection.known.wait()
    except (OSError, TimeoutError, ValueError) as error:
        log.debug("a Wayland desktop cannot be asked: %s", type(error).__name__)
    finally:
        reaching.close()
        if connection is not None and not connection.known.is_set():
            connection.close()
    return connection if connection is not None and not connection.lost else None


class _Connection:
    """One connection to a compositor; the descriptor is its own."""

    def __init__(self, descriptor: int, milliseconds: int, changed: Callable[[], None]) -> None:
        from pywayland.client.display import Display

        self._milliseconds = milliseconds
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self.known = asyncio.Event()  # all that the compositor offers
        self.lost = False
        self.seats: dict[int, bool] = {}  # whether nobody is at each, by its number
        self._notifier: Any = None
        self._offered: list[tuple[int, Any]] = []
        self._kept: dict[int, Any] = {}  # what is not kept is destroyed
        self._display: Any = Display(descriptor)
        self._display.connect()
        self._registry = self._display.get_registry()
        self._registry.dispatcher["global"] = self._offer
        self._registry.dispatcher["global_remove"] = self._withdraw
        self._sync = self._display.sync()
        self._sync.dispatcher["done"] = self._all_offered
        self._display.flush()
        self._descriptor = self._display.get_fd()
        self._loop.add_reader(self._descriptor, self._readable)

    @property
    def idle(self) -> bool | None:
        """Whether nobody is at any seat; None where there is no seat any more."""
        return all(self.seats.values()) if self.seats else None

    def close(self) -> None:
        if not self.lost:
            self.lost = True
            self._loop.remove_reader(self._descriptor)
            self._kept.clear()
            self._display.disconnect()

    def _offer(self, registry: Any, number: int, interface: str, version: int) -> None:
        from pywayland.protocol.ext_idle_notify_v1 import ExtIdleNotifierV1
        from pywayland.protocol.wayland import WlSeat

        if interface == ExtIdleNotifierV1.name and self._notifier is None:
            self._notifier = registry.bind(number, ExtIdleNotifierV1, 1)
        elif interface == WlSeat.name:
            self._offered.append((number, registry.bind(number, WlSeat, 1)))
        if self.known.is_set():
            self._watch_seats()
            self._changed()

    def _withdraw(self, registry: Any, number: int) -> None:
        if self.seats.pop(number, None) is not None:
            self._kept.pop(number, None)
            self._changed()

    def _all_offered(self, callback: Any, serial: int) -> None:
        self._watch_seats()
        self.known.set()

    def _watch_seats(self) -> None:
        if self._notifier is None:
            return
        for number, seat in self._offered:
            notification = self._notifier.get_idle_notification(self._milliseconds, seat)
            notification.dispatcher["idled"] = lambda _, n=number: self._is(n, idle=True)
            notification.dispatcher["resumed"] = lambda _, n=number: self._is(n, idle=False)
            self._kept[number] = (seat, notification)
            self.seats[number] = False
        self._offered.clear()

    def _is(self, number: int, *, idle: bool) -> None:
        if number in self.seats:
            self.seats[number] = idle
            self._changed()

    def _readable(self) -> None:
        try:
            self._display.read()
            self._display.dispatch(block=False)
            self._display.flush()
        except RuntimeError:  # the compositor ended
            self.close()
            self.known.set()
            self.seats.clear()
            self._changed()
