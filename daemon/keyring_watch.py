"""When it may be worth trying the keyring again: the session bus came, a keyring came, or one was
unlocked. Told by the system (file events, D-Bus signals), never found by asking again and again.

Only used while the vault is locked. Knows nothing of what lies in a keyring, and asks it nothing.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.socket_waiting import until_there

if TYPE_CHECKING:
    from jeepney import MatchRule, Message

log = logging.getLogger("nightloom.lock")

KEYRINGS = ("org.freedesktop.secrets", "org.kde.kwalletd6", "org.kde.kwalletd5")
COLLECTION = "org.freedesktop.Secret.Collection"
KWALLET = "org.kde.KWallet"
HELLO_SECONDS = 10.0  # a bus that does not answer within is none
AGAIN_SECONDS = 5.0  # after a bus that took no connection, or dropped it


async def watch_keyrings(changed: Callable[[], None], socket: Path | None) -> None:
    """Call `changed` whenever a keyring may open that did not before. Runs until cancelled."""
    if socket is None:
        await asyncio.Event().wait()  # no bus will ever come
        return
    told = False
    while True:
        await until_there(socket)
        try:
            async with _connected(socket) as messages:
                changed()  # what happened before it was listened to
                async for message in messages:
                    if worth_a_try(message):
                        changed()
        except (OSError, EOFError):
            pass  # it went away, or is not quite there yet: as often as a session begins and ends
        except Exception as error:  # whatever a bus answers, a passphrase opens the vault as before
            if not told:
                log.warning("the session bus cannot be listened to: %s", type(error).__name__)
            told = True
        await asyncio.sleep(AGAIN_SECONDS)


def worth_a_try(message: "Message") -> bool:
    """Whether a signal says that a keyring came, or was unlocked."""
    from jeepney import HeaderFields, MessageType

    if message.header.message_type is not MessageType.signal:
        return False
    member = message.header.fields.get(HeaderFields.member)
    body = message.body
    if member == "NameOwnerChanged":
        return len(body) == 3 and body[0] in KEYRINGS and bool(body[2])
    if member == "PropertiesChanged":
        return len(body) == 3 and body[0] == COLLECTION and _unlocked(body[1], body[2])
    return member in ("CollectionChanged", "CollectionCreated", "walletOpened")


def _unlocked(changed: Any, invalidated: Any) -> bool:
    return changed.get("Locked") == ("b", False) or "Locked" in invalidated


def _rules() -> "Iterator[MatchRule]":
    from jeepney import MatchRule

    for name in KEYRINGS:
        rule = MatchRule(
            type="signal",
            sender="org.freedesktop.DBus",
            interface="org.freedesktop.DBus",
            member="NameOwnerChanged",
        )
        rule.add_arg_condition(0, name)
        yield rule
    properties = MatchRule(
        type="signal", interface="org.freedesktop.DBus.Properties", member="PropertiesChanged"
    )
    properties.add_arg_condition(0, COLLECTION)
    yield properties
    for member in ("CollectionChanged", "CollectionCreated"):
        yield MatchRule(type="signal", interface="org.freedesktop.Secret.Service", member=member)
    yield MatchRule(type="signal", interface=KWALLET, member="walletOpened")


# --------------------------------------------------------------------------- the bus


@contextlib.asynccontextmanager
async def _connected(socket: Path) -> "AsyncIterator[AsyncIterator[Message]]":
    """The signals that were asked for, until the bus goes away (EOFError)."""
    from jeepney import message_bus
    from jeepney.io.asyncio import open_dbus_connection

    async with asyncio.timeout(HELLO_SECONDS):
        connection = await open_dbus_connection(f"unix:path={socket}")
    try:
        for rule in _rules():
            await connection.send(message_bus.AddMatch(rule))
        yield _received(connection)
    finally:
        connection.writer.close()


async def _received(connection: Any) -> "AsyncIterator[Message]":
    while True:
        yield await connection.receive()
