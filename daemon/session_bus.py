"""Where the session bus is, without talking to it."""

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from urllib.parse import unquote

VARIABLE = "DBUS_SESSION_BUS_ADDRESS"


def name_session_bus(environ: MutableMapping[str, str]) -> None:
    """Give the session bus its usual address where the environment has none, as systemd does.

    A service that was started before the user logged in finds the bus by it later.
    """
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime and not environ.get(VARIABLE):
        environ[VARIABLE] = f"unix:path={runtime}/bus"


def socket_of(environ: Mapping[str, str]) -> Path | None:
    """The session bus's socket, if it has one in a folder."""
    for address in environ.get(VARIABLE, "").split(";"):
        transport, _, facts = address.partition(":")
        named = dict(fact.split("=", 1) for fact in facts.split(",") if "=" in fact)
        if transport == "unix" and "path" in named:
            return Path(unquote(named["path"]))
    return None
