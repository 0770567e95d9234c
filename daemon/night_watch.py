"""Lets nights work when they may: looks at what is known, and tells the night to begin or to hold.

A shell: `conditions/decision.py` decides, `night_steering.py` says what follows, the night itself
is `night_runner.py`'s. It looks when a condition changes, when something that was waited for has
had its time, and once a minute in any case. While a night runs it waits for nothing but the night.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from daemon.conditions.board import Board
from daemon.conditions.decision import Asked, Decision, Policy, decide
from daemon.conditions.reading import Attention
from daemon.errors import NightMayNot, VaultIsLocked
from daemon.night_account import ASLEEP, WORK, Account
from daemon.night_accounts import NightAccounts
from daemon.night_holding import ChatTurns, Held
from daemon.night_orders import NightOrders
from daemon.night_prospects import NightProspects, Preparation
from daemon.night_reasons import NAMES, chat_reading
from daemon.night_steering import Step, next_step
from daemon.night_time import Clocks, Hours, NightTime

log = logging.getLogger("nightloom.night")

Json = dict[str, Any]

LOOKS_EVERY_SECONDS = 60.0  # also when nothing happens: a timer does not count the machine's sleep
FIRST_READINGS_SECONDS = 10.0  # that a person who asks waits for the machine's conditions
SUSPENDS_SECONDS = 120.0  # awake for so long after the word that it would sleep, it does not
ENDED = frozenset({"done", "refused", "failed", "waiting"})


class Nights(Protocol):
    """What is asked of `NightRunner`."""

    @property
    def runs(self) -> bool: ...

    @property
    def held(self) -> Held | None: ...

    @property
    def chat(self) -> ChatTurns | None: ...

    def begin(self) -> bool: ...

    async def hold(self, reason: str) -> Held | None: ...

    def settles(self, well_again: bool) -> None: ...

    async def go_on(self) -> bool: ...

    async def stop(self) -> bool: ...

    def on_end(self, told: Callable[[Json | None], None]) -> None: ...


class Waker(Protocol):
    """Keeps the machine from sleeping, as `sleeping.py` does."""

    async def hold(self) -> object: ...

    def release(self) -> None: ...


class NightWatch:
    """Watches while the vault is open (`at_work`); says what it sees at any time."""

    def __init__(
        self,
        *,
        board: Board,
        nights: Nights,
        preparation: Preparation,
        orders: NightOrders,
        accounts: NightAccounts,
        hours: Hours,
        policy: Policy | None = None,
        clocks: Clocks | None = None,
        attention: Attention | None = None,
        waker: Waker | None = None,
    ) -> None:
        self._board = board
        self._nights = nights
        self._orders = orders
        self._hours = hours
        self._policy = policy or Policy()
        self._clocks = clocks or Clocks()
        self._attention = attention or Attention()
        self._waker = waker
        self._waking: asyncio.Task[None] | None = None
        self._prospects = NightProspects(board, preparation, orders, hours, self._clocks)
        self._time = NightTime(accounts, hours, self._clocks)
        self._asked: Asked | None = None
        self._suspending_since: float | None = None
        self._standing_down = False
        self._woken = asyncio.Event()
        self._told = asyncio.Event()
        self._looking = asyncio.Lock()
        board.on_change(self.wake)
        nights.on_end(self._ended)
        self._tell()

    # ------------------------------------------------------------------- what is asked of it

    def decision(self, asked: Asked | None = None) -> Decision:
        """As things stand, for the night that runs or for one that would begin now.

        Args:
            asked: a person's word of this moment, who does not wait for what is to settle.
        """
        return decide(
            self._board.standings,
            self._policy,
            steady=self._clocks.steady(),
            asked=asked or self._asked,
            runs=self._nights.runs,
            held=asked is None and self._nights.held is not None,
        )

    async def why(self) -> Decision:
        """As `decision`, with a fresh look at everything."""
        await self._all_read()
        await self._prospects.learn()
        await self._prospects.prepare()
        self._tell()
        return self.decision()

    async def allow(self, asked: Asked) -> None:
        """A person asks for a night: from now on their word counts, until that night has ended.

        Raises:
            NightMayNot: what no word overrides is in the way.
        """
        await self._all_read()
        self._tell()
        first = self.decision(asked).first
        if first is not None:
            raise NightMayNot(first.name, first.value, first.threshold, first.advice)
        await self._orders.ask()
        self._prospects.asked()
        self._asked = asked
        self.wake()

    async def not_tonight(self) -> None:
        """A person stopped the night: none begins by itself before the next window."""
        self._asked = None
        following = self._hours.window.next(self._clocks.now(), self._hours.zone)
        await self._orders.stop_until(None if following is None else following.begin)
        self.wake()

    def accounts(self, running: int | None) -> tuple[Account, ...]:
        """Where the time went, up to now.

        Args:
            running: the number of the record of the night that runs.
        """
        self._time.count()
        return self._time.accounts(running)

    async def look_again(self) -> None:
        """As `wake`."""
        self.wake()

    def wake(self) -> None:
        """Something may be otherwise: look at once."""
        self._told.set()
        self._woken.set()

    def next_edge(self) -> float | None:
        """When the window begins or ends next, in seconds since the epoch."""
        return self._hours.window.next_edge(self._clocks.now(), self._hours.zone)

    async def going_to_sleep(self) -> None:
        """The machine is about to sleep: returns when the night that runs is saved."""
        self._suspending_since = self._clocks.steady()
        self._stay_awake(False)
        await self._nights.stop()

    async def stand_down(self) -> None:
        """For good: the service ends. Returns when the night that runs is saved."""
        self._standing_down = True
        self._stay_awake(False)
        await self._nights.stop()

    def woke_up(self) -> None:
        """The machine is awake again: what held before has to prove itself."""
        self._suspending_since = None
        self._board.unsettle()
        self.wake()

    # ------------------------------------------------------------------- while the vault is open

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Watches for as long as the context lasts; then a night that runs is stopped."""
        await self._orders.enter()
        await self._time.open()
        self._prospects.forget()
        task = asyncio.create_task(self._watch(), name="night watch")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            self._asked = None
            self._stay_awake(False)
            await self._nights.stop()
            self._attention.set(close=False)
            await self._time.close()

    async def _watch(self) -> None:
        while True:
            seconds = LOOKS_EVERY_SECONDS
            try:
                seconds = await self.look()
            except VaultIsLocked:
                self._woken.clear()  # it is being locked
            except Exception as error:
                # the type only: messages may quote what was read
                log.error("the watch over nights stumbled: %s", type(error).__name__)
                self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()

    async def look(self) -> float:
        """Look once and do what follows; seconds until it is worth while to look again."""
        async with self._looking:
            if self._time.look():
                self._board.unsettle()
            if not self._nights.runs:
                await self._prospects.learn()
            self._woken.clear()
            decision = self._decided()
            only_these = not self._nights.runs and _only_prospects_lack(decision)
            if only_these and await self._prospects.are_stale():
                await self._prospects.prepare()
                decision = self._decided()
            self._woken.clear()  # what was told until now is in the decision
            await self._act(decision)
            return self._seconds_to_wait(decision)

    def _decided(self) -> Decision:
        self._tell()
        if self._prospects.paused:
            self._asked = None
        return self.decision()

    def _tell(self) -> None:
        self._prospects.tell()
        self._board.tell(chat_reading(self._nights.chat))

    async def _act(self, decision: Decision) -> None:
        nights = self._nights
        first = "" if decision.first is None else decision.first.name
        match next_step(decision, runs=nights.runs, held=nights.held is not None):
            case Step.BEGIN | Step.GO_ON if self._is_leaving():
                first = ASLEEP
            case Step.BEGIN:
                nights.begin()
            case Step.HOLD:
                self._stay_awake(False)
                if await nights.hold(first) is not None:
                    log.info("the night is held: %s", first)
            case Step.GO_ON:
                await nights.go_on()
            case Step.STOP:
                self._stay_awake(False)
                self._asked = None
                await nights.stop()
                log.info("the night ends for now: %s", first)
        nights.settles(decision.only_settles)
        self._settle_down(first, on_power=_holds(decision, "power"))

    def _settle_down(self, first: str, *, on_power: bool) -> None:
        """What goes on from now on, for the account, the pollers and the machine's sleep."""
        runs = self._nights.runs
        works = runs and self._nights.held is None
        if runs:
            self._time.night_begins()
        self._time.goes_on(WORK if works else first or WORK, night=runs)
        self._attention.set(close=runs)
        self._stay_awake(works and on_power)

    def _stay_awake(self, wanted: bool) -> None:
        if self._waker is None:
            return
        if not wanted:
            self._waking = None
            self._waker.release()
        elif self._waking is None:  # whoever is asked may take seconds, and a plug does not wait
            self._waking = asyncio.create_task(self._ask_waker(self._waker), name="stay awake")

    async def _ask_waker(self, waker: Waker) -> None:
        if self._waking is asyncio.current_task():  # else it was released before this began
            await waker.hold()

    def _is_leaving(self) -> bool:
        """Whether the machine is about to sleep, or the service about to end."""
        if self._standing_down:
            return True
        since = self._suspending_since
        return since is not None and self._clocks.steady() - since < SUSPENDS_SECONDS

    def _seconds_to_wait(self, decision: Decision) -> float:
        waits = [LOOKS_EVERY_SECONDS]
        if decision.look_again_in is not None:
            waits.append(decision.look_again_in)
        if (edge := self.next_edge()) is not None:
            waits.append(edge - self._clocks.now())
        return max(0.0, min(waits))

    async def _all_read(self) -> None:
        """Until the machine's conditions have been read once; not for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_READINGS_SECONDS):
                while set(self._board.unread) - set(NAMES):
                    self._told.clear()
                    await self._told.wait()

    def _ended(self, entry: Json | None) -> None:
        """A night has ended."""
        self._time.night_ended(None if entry is None else entry.get("id"))
        self._prospects.night_ended(entry)
        if entry is None or entry["state"] in ENDED:
            self._asked = None
        self.wake()


def _only_prospects_lack(decision: Decision) -> bool:
    return {one.name for one in decision.conditions if one.blocks} <= {"text", "base"}


def _holds(decision: Decision, name: str) -> bool:
    return all(one.holds for one in decision.conditions if one.name == name)
