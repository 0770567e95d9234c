"""A connection to the system's or the session's D-Bus, made again whenever it is lost.

Knows nothing of what is asked over it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

log = logging.getLogger("nightloom.conditions")

ANSWER_SECONDS = 5.0  # of a program that is asked; one that takes longer says nothing
AGAIN_SECONDS = 5.0  # after a connection that was lost or refused
DAEMON = "org.freedesktop.DBus"


class BusGone(Exception):  # noqa: N818 - says what happened
    """There is no connection, or nobody answered in time."""


class BusRefused(Exception):  # noqa: N818 - says what happened
    """The one who was asked answered with an error; `name` is the error's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A signal as it came; `body` holds plain values, variants unpacked."""

    path: str
    interface: str
    member: str
    body: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    rule: str
    interface: str
    member: str
    told: Callable[[Signal], None]


class Bus:
    """Args: address: of the bus, as in `DBUS_SYSTEM_BUS_ADDRESS`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection: MessageBus | None = None
        self._wanted: list[_Wanted] = []
        self._changed: list[Callable[[bool], None]] = []

    @property
    def connected(self) -> bool:
        return self._connection is not None

    async def run(self) -> None:
        """Keep connected until cancelled."""
        raise NotImplementedError

    def on_change(self, told: Callable[[bool], None]) -> None:
        """`told(True)` at each connect, `told(False)` at each loss."""
        self._changed.append(told)

    async def subscribe(
        self, interface: str, member: str, told: Callable[[Signal], None], *, path: str = "",
        sender: str = "",
    ) -> None:
        """Hear these signals, also after the connection was lost and made again."""
        raise NotImplementedError

    async def call(
        self, destination: str, path: str, interface: str, member: str, signature: str = "",
        *body: Any, seconds: float = ANSWER_SECONDS,
    ) -> tuple[Any, ...]:
        """The answer's values, variants unpacked; file descriptors as ints that are the caller's.

        Raises: BusGone, BusRefused.
        """
        raise NotImplementedError

    async def owned(self, name: str) -> bool:
        """Whether somebody has this name now (does not start anybody)."""
        raise NotImplementedError
