"""What lets nights begin by themselves, put together: this machine's conditions and the watch."""

import asyncio
import functools
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.chosen_base import ChosenBase
from daemon.conditions import reading
from daemon.conditions.board import Board
from daemon.conditions.bus import Bus
from daemon.conditions.decision import Policy
from daemon.conditions.gathering import Gathering
from daemon.conditions.presence_providers import presence_providers
from daemon.conditions.providers import Machine, machine_providers
from daemon.conditions.reading import Attention, Provider, Reading
from daemon.config import Config
from daemon.desktop_notice import DesktopNotices, MacNotices
from daemon.engine_handle import EngineHandle
from daemon.home import Home
from daemon.night_accounts import NightAccounts
from daemon.night_needs import needs_of
from daemon.night_notices import NightNotices, Notices
from daemon.night_orders import NightOrders
from daemon.night_prospects import Preparation
from daemon.night_reasons import NAMES, base_reading, text_reading
from daemon.night_record import UNFINISHED, NightState
from daemon.night_runner import NightRunner
from daemon.night_time import Hours
from daemon.night_watch import NightWatch
from daemon.pausing import Pause
from daemon.session_bus import VARIABLE
from daemon.sleeping import (
    IN_GNOME,
    IN_XFCE,
    Caffeinate,
    StayAwake,
    StayAwakeEverywhere,
    StayAwakeOnDesktop,
    Suspends,
    Waker,
)
from daemon.vault_door import VaultDoor

SYSTEM_VARIABLE = "DBUS_SYSTEM_BUS_ADDRESS"
SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Buses:
    """The system's and the session's."""

    system: Bus
    session: Bus

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Buses":
        if sys.platform == "darwin":
            return cls(system=Bus(""), session=Bus(""))
        return cls(
            system=Bus(environ.get(SYSTEM_VARIABLE) or SYSTEM_BUS),
            session=Bus(environ.get(VARIABLE, "")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """The watch, what it goes by, and who fills its board."""

    watch: NightWatch
    orders: NightOrders
    gathering: Gathering


def watching(
    home: Home,
    config: Config,
    *,
    door: VaultDoor,
    engine: EngineHandle,
    base: ChosenBase,
    nights: NightRunner,
    recipe: Mapping[str, Any],
    paused: Callable[[], Pause | None],
) -> Watching:
    """Within the running loop; nothing is read before `gathering.start`."""
    attention, buses = Attention(), Buses.of(os.environ)
    machine = Machine(
        system=buses.system,
        attention=attention,
        vault=home.vault,
        needs=needs_of(base, recipe, configured_bytes=config.engine.memory_bytes),
        engine=lambda: engine.process_id,
    )
    of_machine = machine_providers(machine, config.conditions)
    of_people = presence_providers(
        system=buses.system,
        session=buses.session,
        idle_seconds=config.conditions.idle_minutes * 60,
        attention=attention,
        environ=os.environ,
    )
    providers = (*of_machine, *of_people)
    board = Board(_names(providers), clock=time.time, steady=time.monotonic)
    orders = NightOrders(door)
    watch = NightWatch(
        board=board,
        nights=nights,
        preparation=Preparation(
            text=functools.partial(_text, nights, door, config.night.minimum_tokens),
            base=functools.partial(_base, base),
            vault=door,
            is_open=lambda: door.is_open,
            paused=paused,
        ),
        orders=orders,
        accounts=NightAccounts(door.inner),
        hours=Hours(window=config.night.window, automatic=config.night.automatic),
        policy=Policy(settle_seconds={"power": config.conditions.power_minutes * 60}),
        attention=attention,
        waker=_waker(buses),
    )
    if config.conditions.notify:
        notices = NightNotices(_desktop(buses), board)
        nights.on_end(notices.ended)
        board.on_change(notices.looked)
    suspends = Suspends(buses.system, before=watch.going_to_sleep, after=watch.woke_up)
    return Watching(
        watch=watch,
        orders=orders,
        gathering=Gathering(board, providers, (buses.system.run, buses.session.run, suspends.run)),
    )


def _desktop(buses: Buses) -> Notices:
    return MacNotices() if sys.platform == "darwin" else DesktopNotices(buses.session)


def _waker(buses: Buses) -> Waker:
    if sys.platform == "darwin":
        return Caffeinate()
    desktops = (StayAwakeOnDesktop(buses.session, keeper) for keeper in (IN_GNOME, IN_XFCE))
    return StayAwakeEverywhere(StayAwake(buses.system), *desktops)


def _names(providers: tuple[Provider, ...]) -> tuple[str, ...]:
    """In the order in which they are shown: the vault's and the night's own, then the machine's."""
    provided = {name for provider in providers for name in provider.names}
    return (*NAMES, *(name for name in reading.NAMES if name in provided))


async def _text(nights: NightRunner, door: VaultDoor, minimum_tokens: int) -> Reading:
    last = await door.call(lambda vault: vault.ledger.nights(1))
    unfinished = bool(last) and NightState(last[0]["state"]) in UNFINISHED
    plan = (await nights.foresee()).plan
    return text_reading(plan, minimum_tokens, unfinished=unfinished)


async def _base(base: ChosenBase) -> Reading:
    return base_reading(base.name, await asyncio.to_thread(base.problem))
