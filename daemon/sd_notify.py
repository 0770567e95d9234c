"""What a service tells the manager that started it, in the words of sd_notify(3).

Datagrams to the socket that NOTIFY_SOCKET names: a path, or an abstract name after `@`. Without
that variable nothing is said. A manager that does not listen is no reason to stop, so nothing here
raises. Knows nothing of what the words mean to the service.
"""

import contextlib
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Self

SOCKET = "NOTIFY_SOCKET"
WATCHDOG_MICROSECONDS = "WATCHDOG_USEC"
WATCHDOG_PROCESS = "WATCHDOG_PID"
READY_SECONDS = 10.0  # that a busy manager is given to take it
VARIABLES = (SOCKET, WATCHDOG_MICROSECONDS, WATCHDOG_PROCESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifier:
    """The way to the manager, and how often it wants to hear that all is well."""

    address: str | None = None  # None: nobody listens
    watchdog_seconds: float | None = None  # silent for so long, the service is killed

    @classmethod
    def take(cls, environ: MutableMapping[str, str], *, pid: int) -> Self:
        """From the variables, which are removed: a child is not to speak for us."""
        given = {name: environ.pop(name, "") for name in VARIABLES}
        address = given[SOCKET]
        if not address.startswith(("/", "@")):
            return cls()
        return cls(address=address, watchdog_seconds=_watchdog(given, pid))

    def ready(self, status: str) -> None:
        """The sockets listen and are answered; a start that is not heard of is undone."""
        self._send(READY_SECONDS, READY="1", STATUS=status)

    def status(self, sentence: str) -> None:
        """One line for `systemctl status`, in words of ours."""
        self.tell(STATUS=sentence)

    def alive(self) -> None:
        """All is well; the watchdog begins anew."""
        self.tell(WATCHDOG="1")

    def stopping(self) -> None:
        self.tell(STOPPING="1")

    def tell(self, **facts: str) -> None:
        """One datagram with a line for each fact; lost when nobody takes it at once."""
        self._send(0.0, **facts)

    def _send(self, longest_seconds: float, **facts: str) -> None:
        if self.address is None:
            return
        lines = "\n".join(f"{name}={' '.join(value.split())}" for name, value in facts.items())
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.settimeout(longest_seconds)
            sock.sendto(lines.encode(), _socket_address(self.address))


def _socket_address(named: str) -> str:
    """`@name` is in the abstract namespace, where a zero byte stands in front."""
    return "\0" + named[1:] if named.startswith("@") else named


def _watchdog(given: dict[str, str], pid: int) -> float | None:
    """None where the manager does not wait for us, or for another process than ours."""
    microseconds = given[WATCHDOG_MICROSECONDS]
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if given[WATCHDOG_PROCESS] not in ("", str(pid)):
        return None
    return int(microseconds) / 1e6
