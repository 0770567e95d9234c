"""A connection to the system's or the session's D-Bus, made again whenever it is lost.

Knows nothing of what is asked over it.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.session_bus import VARIABLE, socket_of
from daemon.socket_waiting import is_there, until_there

if TYPE_CHECKING:
    from dbus_fast import Message, Variant
    from dbus_fast.aio import MessageBus

log = logging.getLogger("nightloom.conditions")

ANSWER_SECONDS = 5.0  # of a program that is asked; one that takes longer says nothing
AGAIN_SECONDS = 1.0  # after a connection that was lost or refused; twice as long each time
LONGEST_AGAIN_SECONDS = 60.0
DAEMON = "org.freedesktop.DBus"
_DAEMON_PATH = "/org/freedesktop/DBus"


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
    interface: str
    member: str
    path: str
    sender: str
    told: Callable[[Signal], None]

    @property
    def rule(self) -> str:
        parts = {
            "type": "signal",
            "interface": self.interface,
            "member": self.member,
            "path": self.path,
            "sender": self.sender,
        }
        return ",".join(f"{key}='{value}'" for key, value in parts.items() if value)


class Bus:
    """Args:
    address: of the bus, as in `DBUS_SYSTEM_BUS_ADDRESS`; "" is a bus that never comes.
    again_seconds: until the first new try after a connection that was lost or refused.
    """

    def __init__(self, address: str, *, again_seconds: float = AGAIN_SECONDS) -> None:
        self._address = address
        self._again_seconds = again_seconds
        self._socket = socket_of({VARIABLE: address})
        self._connection: MessageBus | None = None
        self._was_connected = False
        self._wanted: list[_Wanted] = []
        self._changed: list[Callable[[bool], None]] = []
        self._owners: dict[str, str] = {}  # of the names that are watched: whose they are now
        self._heard_of: set[str] = set()  # names whose owner was told since it was asked for
        self._watched: list[tuple[str, Callable[[bool], None] | None]] = []

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def absent(self) -> bool:
        """Whether this machine has no such bus: there was no connection yet, and nobody listens.

        A bus that was there and went away is not absent: what it told is unknown.
        """
        if self._was_connected:
            return False
        return self._socket is None or not is_there(self._socket)

    def may_come(self) -> bool:
        """Whether there is something to connect to now, as far as the address tells."""
        return bool(self._address) and (self._socket is None or is_there(self._socket))

    async def run(self) -> None:
        """Keep connected until cancelled: woken by the socket's coming where it has a path."""
        if not self._address:
            await asyncio.Event().wait()
        pause = self._again_seconds
        while True:
            if self._socket is not None:
                await until_there(self._socket)
            if await self._live():
                pause = self._again_seconds
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_AGAIN_SECONDS)

    def on_change(self, told: Callable[[bool], None]) -> None:
        """`told(True)` at each connect, `told(False)` at each loss."""
        self._changed.append(told)

    async def subscribe(
        self,
        interface: str,
        member: str,
        told: Callable[[Signal], None],
        *,
        path: str = "",
        sender: str = "",
    ) -> None:
        """Hear these signals, also after the connection was lost and made again.

        With `sender` (a well-known name) only what its owner sends; others may send what they like.
        """
        wanted = _Wanted(interface=interface, member=member, path=path, sender=sender, told=told)
        self._wanted.append(wanted)
        if sender:
            await self._watch(sender, None)
        if self._connection is not None:
            await self._match(wanted.rule)

    async def watch_owner(self, name: str, told: Callable[[bool], None]) -> None:
        """Hear whether somebody has this name: at once if connected, at each change, each connect
        and each loss. Does not start anybody."""
        await self._watch(name, told)

    async def call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        *body: Any,
        seconds: float = ANSWER_SECONDS,
    ) -> tuple[Any, ...]:
        """The answer's values, variants unpacked; file descriptors as ints that are the caller's.

        Raises: BusGone, BusRefused.
        """
        from dbus_fast import Message

        connection = self._connection
        if connection is None or not connection.connected:
            raise BusGone
        asked = Message(
            destination=destination,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
        )
        return await _answered(connection, asked, seconds)

    async def owned(self, name: str) -> bool:
        """Whether somebody has this name now (does not start anybody).

        Raises: BusGone.
        """
        return bool(await self._owner(name))

    # ------------------------------------------------------------------ one connection

    async def _live(self) -> bool:
        """From connecting to the loss; whether there was a connection at all."""
        from daemon.conditions.bus_connection import Connection

        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                connection = await Connection(self._address, negotiate_unix_fd=True).connect()
        except Exception as error:  # refused, not a bus, an address of a kind unknown here
            log.debug("no connection to a bus: %s", type(error).__name__)
            return False
        lost: asyncio.Future[None] = asyncio.ensure_future(connection.wait_for_disconnect())  # type: ignore[no-untyped-call]
        try:
            connection.add_message_handler(self._received)
            self._connection = connection
            self._was_connected = True
            await self._prepared()
            for told in self._changed:
                _safely(told, True)
            with contextlib.suppress(Exception):  # why it ended does not matter
                await asyncio.shield(lost)
        finally:
            self._connection = None
            self._owners.clear()
            for told in self._changed:
                _safely(told, False)
            for _, owned in self._watched:
                if owned is not None:
                    _safely(owned, False)
            connection.disconnect()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(ANSWER_SECONDS):
                    await lost
        return True

    async def _prepared(self) -> None:
        """Everything that was subscribed to before, for this connection."""
        for wanted in list(self._wanted):
            await self._match(wanted.rule)
        for name in {name for name, _ in self._watched}:
            await self._look_at(name)

    async def _match(self, rule: str) -> None:
        # A bus that refuses one tells nothing, and what is not told is unknown.
        try:
            await self.call(DAEMON, _DAEMON_PATH, DAEMON, "AddMatch", "s", rule)
        except BusGone:
            self._give_up()
        except BusRefused:
            pass

    def _give_up(self) -> None:
        """A bus that did not answer is connected to anew, and all is asked for again: nobody may
        stay deaf on a connection that looks well."""
        if self._connection is not None:
            self._connection.disconnect()

    async def _watch(self, name: str, told: Callable[[bool], None] | None) -> None:
        known = any(name == other for other, _ in self._watched)
        self._watched.append((name, told))
        if self._connection is None:
            return
        if not known:
            await self._look_at(name)
        elif told is not None:
            _safely(told, name in self._owners)

    async def _look_at(self, name: str) -> None:
        await self._match(
            f"type='signal',sender='{DAEMON}',interface='{DAEMON}',"
            f"member='NameOwnerChanged',arg0='{name}'"
        )
        self._heard_of.discard(name)
        try:
            owner = await self._owner(name)
        except BusGone:
            self._give_up()
            return
        if name not in self._heard_of:  # what is told is never older than the answer
            self._owns(name, owner)

    async def _owner(self, name: str) -> str:
        try:
            (owner,) = await self.call(DAEMON, _DAEMON_PATH, DAEMON, "GetNameOwner", "s", name)
        except BusRefused:  # NameHasNoOwner
            return ""
        return str(owner)

    def _owns(self, name: str, owner: str) -> None:
        if owner:
            self._owners[name] = owner
        else:
            self._owners.pop(name, None)
        for other, told in self._watched:
            if other == name and told is not None:
                _safely(told, bool(owner))

    # ------------------------------------------------------------------ what comes in

    def _received(self, message: "Message") -> None:
        from dbus_fast import MessageType
        from dbus_fast.unpack import unpack_variants

        if message.message_type not in (MessageType.SIGNAL, MessageType.METHOD_CALL):
            return
        _close(message.unix_fds)  # nobody asked for any
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "NameOwnerChanged" and message.sender == DAEMON:
            name, _, owner = message.body
            if any(name == other for other, _ in self._watched):
                self._heard_of.add(name)
                self._owns(name, owner)
        signal = None
        for wanted in list(self._wanted):
            if not self._is(message, wanted):
                continue
            if signal is None:
                signal = Signal(
                    path=message.path or "",
                    interface=message.interface or "",
                    member=message.member or "",
                    body=tuple(unpack_variants(message.body)),
                )
            _safely(wanted.told, signal)

    def _is(self, message: "Message", wanted: _Wanted) -> bool:
        """Whether this is wanted. What is sent to us alone passes all rules: compare it all."""
        if message.interface != wanted.interface or message.member != wanted.member:
            return False
        if wanted.path and message.path != wanted.path:
            return False
        if not wanted.sender or message.sender == wanted.sender:
            return True
        return message.sender == self._owners.get(wanted.sender)


def variant(signature: str, value: Any) -> "Variant":
    """A value for an argument of the type `v`."""
    from dbus_fast import Variant

    return Variant(signature, value)


async def _answered(connection: "MessageBus", asked: "Message", seconds: float) -> tuple[Any, ...]:
    from dbus_fast import MessageType
    from dbus_fast.unpack import unpack_variants

    asking = asyncio.ensure_future(connection.call(asked))
    try:
        async with asyncio.timeout(seconds):
            answer = await asyncio.shield(asking)
    except (TimeoutError, asyncio.CancelledError) as error:
        asking.add_done_callback(_dropped)  # it may come yet, with file descriptors
        if isinstance(error, TimeoutError):
            raise BusGone from None
        raise
    except (OSError, EOFError):
        raise BusGone from None
    if not answer:  # the connection was closed by us
        raise BusGone
    if answer.message_type is MessageType.ERROR:
        _close(answer.unix_fds)
        raise BusRefused(answer.error_name or "")
    values = list(unpack_variants(answer.body))
    for place, kind in enumerate(answer.signature_tree.types):
        if kind.token == "h":  # noqa: S105 - of a signature
            values[place] = answer.unix_fds[values[place]]
    return tuple(values)


def _dropped(asking: "asyncio.Future[Message]") -> None:
    if not asking.cancelled() and asking.exception() is None:
        answer: Message | None = asking.result()  # none where the connection was closed by us
        if answer is not None:
            _close(answer.unix_fds)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _safely(told: Callable[..., None], *what: Any) -> None:
    """One listener's mistake is not another's; nothing of a message goes into the log."""
    try:
        told(*what)
    except Exception as error:
        log.warning("a listener on the bus failed: %s", type(error).__name__)
