"""What a person said about nights: a pause of nights alone, and that they may begin again.

Kept in the vault, so that a restart changes nothing. Collecting goes on while nights are paused;
`pausing.py` has the pause of everything.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from daemon.pausing import Pause
from daemon.vault_door import Door
from storage.errors import RowDamaged
from storage.vault import Vault

KEPT_AS = "night_orders"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Seconds since the epoch.

    Args:
        paused: asked for with `night pause`.
        acted_at: when a person last asked for a night, or told nights to go on.
        stopped_until: no night begins by itself before; it was stopped by hand.
    """

    paused: Pause | None = None
    acted_at: float = 0.0
    stopped_until: float | None = None


class NightOrders:
    """Takes orders and keeps them; those in force are at hand without the vault."""

    def __init__(self, door: Door, *, clock: Callable[[], float] = time.time) -> None:
        self._door = door
        self._clock = clock
        self._orders = Orders()

    @property
    def now(self) -> Orders:
        """Those in force; what has run out is not in them any more."""
        now, orders = self._clock(), self._orders
        if orders.paused is not None and orders.paused.left(now) <= 0:
            orders = replace(orders, paused=None)
        if orders.stopped_until is not None and orders.stopped_until <= now:
            orders = replace(orders, stopped_until=None)
        return orders

    async def enter(self) -> None:
        """Take up what the vault keeps. One that cannot be read is a pause, as in `pausing.py`."""
        try:
            kept = await self._door.call(lambda vault: vault.settings.get(KEPT_AS))
        except RowDamaged:
            kept = {"paused": {"since": self._clock(), "seconds": None}}
        self._orders = Orders() if kept is None else _read(kept)

    async def pause(self, seconds: float | None) -> Pause:
        """No night works from now on, for so long or until `resume`."""
        pause = Pause(since=self._clock(), seconds=seconds)
        await self._keep(replace(self._orders, paused=pause), "nights_paused", {"seconds": seconds})
        return pause

    async def resume(self) -> bool:
        """Nights begin by themselves again, also after failures; whether they were paused."""
        was = self.now.paused is not None
        await self._keep(Orders(acted_at=self._clock()), "nights_resumed", {})
        return was

    async def ask(self) -> None:
        """A person asks for a night now: what failed before does not count any more."""
        await self._keep(
            replace(self._orders, acted_at=self._clock(), stopped_until=None), None, {}
        )

    async def stop_until(self, moment: float | None) -> None:
        """A person stopped the night: none begins by itself before this moment."""
        await self._keep(replace(self._orders, stopped_until=moment), None, {})

    async def _keep(self, orders: Orders, event: str | None, facts: dict[str, Any]) -> None:
        def act(vault: Vault) -> None:
            with vault.transaction():
                vault.settings.put(KEPT_AS, asdict(orders))
                if event is not None:
                    vault.ledger.append_event(event, facts)

        await self._door.call(act)
        self._orders = orders


def _read(kept: dict[str, Any]) -> Orders:
    paused = kept.get("paused")
    return Orders(
        paused=None if paused is None else Pause(**paused),
        acted_at=kept.get("acted_at", 0.0),
        stopped_until=kept.get("stopped_until"),
    )
