"""What the command line asks about nights, done. A part of `Operations`."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any

from daemon import night_record
from daemon.conditions.decision import Asked, Condition
from daemon.errors import VaultIsLocked
from daemon.limits import Limits
from daemon.night_account import told_of_nights
from daemon.night_orders import NightOrders
from daemon.night_record import NightState
from daemon.night_runner import NightRunner
from daemon.night_watch import NightWatch
from daemon.operation_errors import said
from daemon.vault_door import VaultDoor

Json = dict[str, Any]


class NightOperations:
    """Errors of ours leave as `OperationError`."""

    def __init__(
        self,
        *,
        vault: VaultDoor,
        nights: NightRunner,
        limits: Limits,
        watch: NightWatch,
        orders: NightOrders,
    ) -> None:
        self._vault = vault
        self._nights = nights
        self._limits = limits
        self._watch = watch
        self._orders = orders

    async def why(self) -> Json:
        """Every condition, and what would have to change first."""
        with said(), contextlib.suppress(VaultIsLocked):  # it was locked just now
            decision = await self._watch.why()
            return {
                "would_work": decision.would_work,
                "first": None if decision.first is None else decision.first.name,
                "conditions": [_condition(one) for one in decision.conditions],
            }
        return {"would_work": False, "first": "locked", "conditions": []}

    def waits_for(self) -> Json | None:
        """What would have to change first, as was last seen; None if nothing or if a night works.

        Looks at nothing anew, so that asking for the status costs nothing.
        """
        first = self._watch.decision().first
        return None if first is None else {"name": first.name, "value": first.value}

    async def run(self, *, on_battery: bool) -> AsyncGenerator[Json, None]:
        """Progress of the night that runs, or of a new one; closing this leaves it running."""
        with said():
            self._vault.check()
            self._limits.pausing.check()
            await self._watch.allow(Asked(now=True, on_battery=on_battery))
        async with contextlib.aclosing(self._nights.watch()) as watch:
            async for line in watch:
                yield line

    async def stop(self) -> Json:
        """Save a checkpoint and end; the next night goes on from there, not before the next
        window."""
        with said():
            await self._watch.not_tonight()
        return {"stopped": await self._nights.stop()}

    async def log(self, count: int | None) -> list[Json]:
        with said():
            records = await self._vault.call(lambda vault: vault.ledger.nights(count))
        running = self._nights.state is not NightState.WAITING
        nights = [_night(record, running=running and i == 0) for i, record in enumerate(records)]
        number = records[0]["id"] if running and records else None
        told = told_of_nights(nights, self._watch.accounts(number))
        return told if count is None else told[:count]

    async def pause(self, seconds: float | None) -> Json:
        """No night works; collecting goes on. A night that runs saves a checkpoint and ends."""
        with said():
            pause = await self._orders.pause(seconds)
        await self._nights.stop()
        await self._watch.look_again()
        return {"nights_paused": True, "until": pause.until}

    async def resume(self) -> Json:
        with said():
            was = await self._orders.resume()
        await self._watch.look_again()
        return {"nights_paused": False, "until": None, "was_paused": was}


def _condition(condition: Condition) -> Json:
    return {**asdict(condition), "reason": condition.reason or None}


def _night(record: Json, *, running: bool) -> Json:
    """A line of the log; a night that was cut off says how it goes on."""
    shown = night_record.shown(record)
    if not running and NightState(shown["state"]) in night_record.UNFINISHED:
        shown["sentence"] = (
            "It was interrupted; the next night goes on from its last checkpoint, or "
            "`nightloom night run --now` does."
        )
    return shown
