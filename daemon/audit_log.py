"""The account of who asked: counted in memory, written as one event now and then.

A request costs a dictionary's entry; the first one after a writing sets a timer, so that an idle
service has none. What is kept are names of programs, routes, models and counts, never text. While
the vault is locked the counts wait.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from daemon.auditing.history import ASKED, MOST_PIDS
from daemon.errors import VaultIsLocked
from daemon.vault_door import Door
from ipc.asking import Asked
from storage.errors import StorageError

log = logging.getLogger("nightloom.audit")

WRITE_SECONDS = 300.0  # from the first request to the event
MOST_LINES = 500  # programs and questions told apart in one event
OTHERS = "others"

_Key = tuple[str, str, int | None, str]  # socket, program, user, what


@dataclass(slots=True, kw_only=True)
class _Line:
    requests: int = 0
    tokens: int = 0
    first_at: float
    last_at: float
    pids: dict[int, None] = field(default_factory=dict)  # in order, none twice


class AuditLog:
    """Made inside the running loop, used from it.

    Args:
        door: one that is open until the vault is closed.
        clock: seconds since the epoch.
        write_seconds: from the first request to its event.
    """

    def __init__(
        self,
        door: Door,
        *,
        clock: Callable[[], float] = time.time,
        write_seconds: float = WRITE_SECONDS,
    ) -> None:
        self._door = door
        self._clock = clock
        self._write_seconds = write_seconds
        self._lines: dict[_Key, _Line] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    @property
    def waits(self) -> bool:
        """Whether there is something to write, and so a timer."""
        return self._timer is not None

    def asked(self, asked: Asked) -> None:
        """Count a request. An `ipc.asking.Account`."""
        now = self._clock()
        key: _Key = (asked.socket, asked.peer.program, asked.peer.uid, asked.what)
        if key not in self._lines and len(self._lines) >= MOST_LINES:
            key = (asked.socket, OTHERS, asked.peer.uid, OTHERS)
        line = self._lines.setdefault(key, _Line(first_at=now, last_at=now))
        line.requests += 1
        line.tokens += asked.tokens
        line.last_at = now
        if asked.peer.pid is not None and len(line.pids) < MOST_PIDS:
            line.pids[asked.peer.pid] = None
        self._set_timer()

    async def write(self) -> None:
        """Write what was counted, as one event. What cannot be written is counted on."""
        self._stop_timer()
        if not self._lines:
            return
        lines, self._lines = self._lines, {}
        facts = _facts(lines)
        try:
            await self._door.call(lambda vault: vault.ledger.append_event(ASKED, facts))
        except (VaultIsLocked, StorageError) as error:
            if not isinstance(error, VaultIsLocked):
                log.warning("the account of who asked waits: %s", type(error).__name__)
            self._put_back(lines)
            self._set_timer()

    def stop(self) -> None:
        """No more timers; what was counted since the last `write` is dropped."""
        self._stop_timer()
        self._lines.clear()

    # ------------------------------------------------------------------- inside

    def _put_back(self, lines: dict[_Key, _Line]) -> None:
        newer, self._lines = self._lines, lines
        for key, line in newer.items():
            before = self._lines.setdefault(key, line)
            if before is not line:
                before.requests += line.requests
                before.tokens += line.tokens
                before.last_at = line.last_at

    def _set_timer(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._write_seconds, self._time_has_come)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_has_come(self) -> None:
        self._timer = None
        self._writing = asyncio.create_task(self.write(), name="account")


def _facts(lines: dict[_Key, _Line]) -> dict[str, Any]:
    return {
        "requests": [
            {
                "socket": socket,
                "program": program,
                "uid": uid,
                "what": what,
                "pids": list(line.pids),
                "requests": line.requests,
                "tokens": line.tokens,
                "first_at": round(line.first_at, 3),
                "last_at": round(line.last_at, 3),
            }
            for (socket, program, uid, what), line in lines.items()
        ]
    }
