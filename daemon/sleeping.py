"""Keeps the machine awake while a night works, and hears when it is about to sleep all the same.

`StayAwake` holds logind's `sleep` block, `StayAwakeOnDesktop` what a desktop has of its own, and
both let go at once. `Suspends` holds logind's `sleep` delay, so that there is a moment to save
before a sleep that nothing blocks: a lid that closes, somebody's own wish. Decides nothing about
when.
"""

import asyncio
import contextlib
import logging
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from daemon.conditions.bus import Bus, BusGone, BusRefused, Signal
from daemon.conditions.inhibited import (
    KDE,
    OURS,
    POWER,
    POWER_INHIBIT,
    POWER_LIST,
    POWER_PATH,
)
from daemon.conditions.presence_sessions import LOGIND, LOGIND_PATH, MANAGER, PROPERTIES

log = logging.getLogger("nightloom.conditions")

WHO = OURS
WORKING = "A night is working"
SAVING = "A night is saved first"
CAFFEINATE = ("/usr/bin/caffeinate", "-s")  # holds on mains power alone
GNOME = "org.gnome.SessionManager"
GNOME_PATH = "/org/gnome/SessionManager"
GNOME_SUSPEND = 4  # a flag of what is inhibited
USUAL_DELAY_SECONDS = 5.0  # logind's InhibitDelayMaxSec where it does not say
RESERVED = 0.2  # of that time, so that it is let go before logind stops waiting


class Awake(StrEnum):
    """What became of the wish to stay awake."""

    NOT_WANTED = "not_wanted"
    HELD = "held"
    REFUSED = "refused"  # by logind: the user has no session here, and no right without
    UNAVAILABLE = "unavailable"  # nobody there who could be asked


class Waker(Protocol):
    """Keeps the machine awake between `hold` and `release`; both may be called again and again."""

    @property
    def state(self) -> Awake: ...

    async def hold(self) -> Awake: ...

    def release(self) -> None:
        """At once."""
        ...


class _Blocking(ABC):
    """One place on a bus that is asked to stay awake; asked again by itself when the bus was away
    while it was wanted."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._wanted = False
        self._held: int | None = None
        self._state = Awake.NOT_WANTED
        self._taking = asyncio.Lock()
        self._under_way: set[asyncio.Future[Any]] = set()
        bus.on_change(self._bus_changed)

    @property
    def state(self) -> Awake:
        return self._state

    async def hold(self) -> Awake:
        self._wanted = True
        async with self._taking:  # one at a time, so that none is taken twice
            if self._held is None and self._wanted:
                self._state = await self._take()
        return self._state

    def release(self) -> None:
        self._wanted = False
        self._state = Awake.NOT_WANTED
        held, self._held = self._held, None
        if held is not None:
            self._give_back(held)

    @abstractmethod
    async def _ask(self) -> int:
        """What is given back later. Raises: BusGone, BusRefused."""

    @abstractmethod
    def _give_back(self, held: int) -> None: ...

    async def _take(self) -> Awake:
        try:
            held = await self._ask()
        except BusGone:
            return Awake.UNAVAILABLE if self._wanted else Awake.NOT_WANTED
        except BusRefused as refused:
            log.info("the machine may sleep in the middle of a night: %s", refused.name)
            return Awake.REFUSED if self._wanted else Awake.NOT_WANTED
        if not self._wanted:  # released while it was asked for
            self._give_back(held)
            return Awake.NOT_WANTED
        self._held = held
        return Awake.HELD

    def _bus_changed(self, connected: bool) -> None:
        if connected and self._wanted and self._held is None:
            self._go(self.hold())

    def _go(self, what: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(what)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


class StayAwake(_Blocking):
    """By logind. What is held stays held when the bus is lost: logind keeps it for as long as the
    descriptor is open."""

    async def _ask(self) -> int:
        return await _inhibit(self._bus, WORKING, "block")

    def _give_back(self, held: int) -> None:
        os.close(held)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """Who on the session's bus puts an idle machine to sleep, and how it is asked not to.

    Args:
        body: of `Inhibit`, which answers with a number.
        give_back: takes that number.
        names: a method that it has to have: by it our own wish is told from a film, which would
            hold the night (`conditions/inhibited.py`).
        unless: a name; whoever has it heeds logind's block.
    """

    name: str
    path: str
    interface: str
    signature: str
    body: tuple[Any, ...]
    give_back: str
    names: str = ""
    unless: str = ""


IN_GNOME = Keeper(  # and in Cinnamon and MATE: the session manager
    name=GNOME, path=GNOME_PATH, interface=GNOME, signature="susu",
    body=(WHO, 0, WORKING, GNOME_SUSPEND), give_back="Uninhibit",
)  # fmt: skip
IN_XFCE = Keeper(  # its power manager
    name=POWER, path=POWER_PATH, interface=POWER_INHIBIT, signature="ss", body=(WHO, WORKING),
    give_back="UnInhibit", names=POWER_LIST, unless=KDE,
)  # fmt: skip


class StayAwakeOnDesktop(_Blocking):
    """By the desktop, on the session's bus: before systemd 257 logind counts no block against a
    desktop of the same user."""

    def __init__(self, bus: Bus, keeper: Keeper) -> None:
        super().__init__(bus)
        self._keeper = keeper

    async def _ask(self) -> int:
        at = self._keeper
        if not await self._bus.owned(at.name) or (at.unless and await self._bus.owned(at.unless)):
            raise BusGone
        if at.names:
            await self._bus.call(at.name, at.path, at.interface, at.names)
        (cookie,) = await self._bus.call(
            at.name, at.path, at.interface, "Inhibit", at.signature, *at.body
        )
        return int(cookie)

    def _give_back(self, held: int) -> None:
        self._go(self._uninhibit(held))

    async def _uninhibit(self, cookie: int) -> None:
        with contextlib.suppress(BusGone, BusRefused):  # it went, and what it held with it
            at = self._keeper
            await self._bus.call(at.name, at.path, at.interface, at.give_back, "u", cookie)

    def _bus_changed(self, connected: bool) -> None:
        if not connected and self._held is not None:  # it holds nothing for who is gone
            self._held, self._state = None, Awake.UNAVAILABLE
        super()._bus_changed(connected)


class StayAwakeEverywhere:
    """By all of them at once; one that holds is enough to say so."""

    def __init__(self, *wakers: Waker) -> None:
        self._wakers = wakers

    @property
    def state(self) -> Awake:
        states = [one.state for one in self._wakers]
        return Awake.HELD if Awake.HELD in states else states[0]

    async def hold(self) -> Awake:
        for one in self._wakers:
            await one.hold()
        return self.state

    def release(self) -> None:
        for one in self._wakers:
            one.release()


class Caffeinate:
    """By macOS's `caffeinate`, which ends with this process at the latest."""

    def __init__(self, command: Sequence[str] = CAFFEINATE) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._state = Awake.NOT_WANTED

    @property
    def state(self) -> Awake:
        if self._process is not None and self._process.poll() is not None:
            return Awake.UNAVAILABLE
        return self._state

    async def hold(self) -> Awake:
        if self._process is None or self._process.poll() is not None:
            self._state = self._start()
        return self._state

    def _start(self) -> Awake:
        try:
            self._process = subprocess.Popen(
                [*self._command, "-w", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return Awake.UNAVAILABLE
        return Awake.HELD

    def release(self) -> None:
        self._state = Awake.NOT_WANTED
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Suspends:
    """Hears of a sleep before it comes.

    Args:
        before: saves what there is to save; cut off when logind's patience ends.
        after: the machine is awake again.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        before: Callable[[], Awaitable[None]],
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._bus = bus
        self._before = before
        self._after = after
        self._told: asyncio.Queue[bool | None] = asyncio.Queue()  # None: the bus is there (again)
        self._descriptor: int | None = None
        self._listens = False

    @property
    def delays(self) -> bool:
        """Whether a sleep waits for `before`; where it does not, `before` is called all the
        same."""
        return self._descriptor is not None

    async def run(self) -> None:
        """Until cancelled."""
        if not self._listens:  # once, also if it is run again
            self._listens = True
            await self._bus.subscribe(
                MANAGER, "PrepareForSleep", self._heard, path=LOGIND_PATH, sender=LOGIND
            )
            await self._bus.watch_owner(LOGIND, self._logind)
        try:
            await self._delay()
            while True:
                told = await self._told.get()
                if told is None:
                    await self._delay()
                elif told:
                    await self._save()
                    self._let_go()
                else:
                    await self._delay()
                    self._after()
        finally:
            self._let_go()

    async def _save(self) -> None:
        seconds = await self._patience()
        try:
            async with asyncio.timeout(seconds):
                await self._before()
        except TimeoutError:
            log.warning("the machine sleeps before all was saved")
        except Exception as error:  # whatever went wrong, the machine has to get to its sleep
            log.warning("not saved before the machine sleeps: %s", type(error).__name__)

    async def _patience(self) -> float:
        allowed = USUAL_DELAY_SECONDS
        with contextlib.suppress(BusGone, BusRefused):
            (said,) = await self._bus.call(
                LOGIND, LOGIND_PATH, PROPERTIES, "Get", "ss", MANAGER, "InhibitDelayMaxUSec",
                seconds=1.0,
            )  # fmt: skip
            allowed = int(said) / 1e6
        return allowed * (1 - RESERVED)

    async def _delay(self) -> None:
        if self._descriptor is None:
            with contextlib.suppress(BusGone, BusRefused):
                self._descriptor = await _inhibit(self._bus, SAVING, "delay")

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _heard(self, signal: Signal) -> None:
        self._told.put_nowait(bool(signal.body and signal.body[0]))

    def _logind(self, there: bool) -> None:
        if there:
            self._told.put_nowait(None)


async def _inhibit(bus: Bus, why: str, mode: str) -> int:
    """A descriptor; logind inhibits for as long as it is open.

    Raises: BusGone, BusRefused.
    """
    (descriptor,) = await bus.call(
        LOGIND, LOGIND_PATH, MANAGER, "Inhibit", "ssss", "sleep", WHO, why, mode
    )
    os.set_inheritable(descriptor, False)  # an engine must not hold it longer than the service
    return int(descriptor)
