"""A watch over nights whose time goes on by hand, with a board by hand and nights that only note
what they are told; the vault is real."""

import contextlib
import copy
import datetime
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from daemon.conditions.board import Board
from daemon.conditions.decision import Policy
from daemon.conditions.reading import NAMES, Reading
from daemon.conditions.window import Window
from daemon.night_accounts import NightAccounts
from daemon.night_holding import ChatTurns, Held
from daemon.night_orders import NightOrders
from daemon.night_prospects import Preparation
from daemon.night_reasons import NAMES as OWN_NAMES
from daemon.night_time import Clocks, Hours
from daemon.night_watch import NightWatch
from daemon.pausing import Pause
from daemon.vault_door import VaultDoor
from storage.vault import Vault
from tests.storage.making import FAST, PASSPHRASE

Json = dict[str, Any]

BERLIN = ZoneInfo("Europe/Berlin")
GRACE_SECONDS = 30.0


def moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


class Notes:
    """Nights as the watch sees them. One that is held for long ends, as `NightRunner` does it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.runs = False
        self.held: Held | None = None
        self._well_since: float | None = None
        self._well_seconds = 0.0
        self.chat: ChatTurns | None = None
        self.told: list[tuple[float, str]] = []
        self.records: list[Json] = []
        self._now = now
        self._tell: list[Callable[[Json | None], None]] = []
        self._began = 0.0

    def on_end(self, told: Callable[[Json | None], None]) -> None:
        self._tell.append(told)

    def note(self, what: str) -> None:
        self.told.append((self._now(), what))

    def begin(self) -> bool:
        self.note("begin")
        unfinished = self.records and self.records[-1]["state"] == "yielding"
        if not unfinished:
            self.records.append(
                {"id": len(self.records) + 1, "started_at": self._now(), "reason": None}
            )
        self.runs = True
        return True

    async def hold(self, reason: str) -> Held | None:
        self.note(f"hold {reason}")
        self.held = Held(reason=reason, since=self._now(), stop_seconds=0.0)
        self._well_since, self._well_seconds = None, 0.0
        return self.held

    def settles(self, well_again: bool) -> None:
        if well_again:
            self._well_since = self._now() if self._well_since is None else self._well_since
        elif self._well_since is not None:
            self._well_seconds += self._now() - self._well_since
            self._well_since = None

    async def go_on(self) -> bool:
        self.note("go on")
        self.held = None
        return True

    async def stop(self) -> bool:
        if not self.runs:
            return False
        self.note("stop")
        self.end("yielding")
        return True

    def grace(self) -> None:
        """A held night ends when its time is over."""
        if self.held is None or self._well_since is not None:
            return
        if self._now() - self.held.since - self._well_seconds >= GRACE_SECONDS:
            self.end("yielding")

    def end(self, state: str) -> None:
        self.runs, self.held = False, None
        self.records[-1] |= {"state": state, "seconds": 1.0}
        for told in self._tell:
            told(self.records[-1])


class Waker:
    def __init__(self) -> None:
        self.held = False

    async def hold(self) -> None:
        self.held = True

    def release(self) -> None:
        self.held = False


class Scene:
    """Everything at once."""

    def __init__(self, door: VaultDoor, start: str, window: str) -> None:
        self.start = moment(start)
        self.wall = self.latest = self.start
        self.steady = 5000.0
        self.door = door
        self.pause: Pause | None = None
        self.prepared = 0
        self._kept: list[Json] = []
        self.enough = True
        self.board = Board(
            (*OWN_NAMES, *NAMES), clock=lambda: self.wall, steady=lambda: self.steady
        )
        self.nights = Notes(lambda: self.wall)
        self.waker = Waker()
        self.orders = NightOrders(door, clock=lambda: self.wall)
        self.accounts = NightAccounts(door)
        self.watch = NightWatch(
            board=self.board,
            nights=self.nights,
            preparation=Preparation(
                text=self._text,
                base=self._base,
                vault=door,
                is_open=lambda: door.is_open,
                paused=lambda: self.pause,
            ),
            orders=self.orders,
            accounts=self.accounts,
            hours=Hours(window=Window.parse(window), zone=BERLIN),
            policy=Policy(settle_seconds={"power": 120.0}),
            clocks=Clocks(now=lambda: self.wall, steady=lambda: self.steady),
            waker=self.waker,
        )
        for name in NAMES:
            if name != "window":
                self.tell(name, True)

    # what the machine and the vault say

    def tell(self, name: str, holds: bool | None) -> None:
        reason = "" if holds else f"no_{name}"
        self.board.tell(Reading(name=name, holds=holds, value="", threshold="", reason=reason))

    async def _text(self) -> Reading:
        self.prepared += 1
        enough = self.enough or self.nights.records[-1:] == [{"state": "yielding"}]
        reason = "" if enough else "too_little_text"
        return Reading(name="text", holds=enough, value="", threshold="", reason=reason)

    async def _base(self) -> Reading:
        return Reading(name="base", holds=True, value="", threshold="")

    async def keep_log(self) -> None:
        """The nights that ended, as the night shift keeps them."""
        records = self.nights.records

        def act(vault: Vault) -> None:
            kept = len(vault.ledger.nights())
            for record in records[kept:]:
                vault.ledger.begin_night(record)
            if records:
                vault.ledger.update_night(len(records), records[-1])

        if records != self._kept and all("state" in record for record in records):
            await self.door.call(act)
            self._kept = copy.deepcopy(records)

    # time

    async def until(self, text: str) -> None:
        await self.go_on_for(moment(text) - self.wall)

    async def go_on_for(self, seconds: float) -> None:
        """As the watch's own loop does it, but for the waiting."""
        end = self.wall + seconds
        while True:
            await self.keep_log()
            self.latest = max(self.latest, self.wall)
            wait = await self.watch.look()
            if self.wall >= end:
                return
            if self.watch._woken.is_set():
                continue
            self.pass_by(min(max(wait, 0.001), end - self.wall))

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds
        self.nights.grace()

    def sleep(self, seconds: float) -> None:
        """The machine does, and nobody counts but the clock on the wall."""
        self.wall += seconds

    # what came of it

    @property
    def told(self) -> list[tuple[float, str]]:
        """Seconds since the beginning, and what the night was told."""
        return [(round(at - self.start, 1), what) for at, what in self.nights.told]


@contextlib.asynccontextmanager
async def scene(
    root: Path, start: str = "2026-07-13T21:59:00", window: str = "22:00-08:00"
) -> AsyncIterator[Scene]:
    """A machine on which everything holds, a minute before its window."""
    place = root / "vault"
    if not place.exists():
        Vault.create(place, passphrase=PASSPHRASE, argon2=FAST)[0].close()
    from storage.keys import Passphrase

    door = VaultDoor(Vault.open(place, Passphrase(text=PASSPHRASE)))
    made = Scene(door, start, window)
    await made.orders.enter()
    await made.watch._time.open()
    try:
        yield made
    finally:
        await made.watch._time.close()
        await door.close()
