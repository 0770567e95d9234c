"""How the machine is powered, as UPower says it on the system bus.

https://upower.freedesktop.org/docs/UPower.html, UPower.Device.html
"""

from collections.abc import Mapping
from typing import Any

from daemon.conditions.bus import Bus, BusGone, BusRefused
from daemon.conditions.looking import Ring
from daemon.conditions.power import Power

NAME = "org.freedesktop.UPower"
PATH = "/org/freedesktop/UPower"
ALL_BATTERIES = "/org/freedesktop/UPower/devices/DisplayDevice"
PROPERTIES = "org.freedesktop.DBus.Properties"
CHARGING = 1  # of a device's State


async def listen(bus: Bus, ring: Ring) -> None:
    """Ring when something about power changes, UPower comes or goes, or the bus does."""
    for path in (PATH, ALL_BATTERIES):
        await bus.subscribe(
            PROPERTIES, "PropertiesChanged", lambda _: ring(), path=path, sender=NAME
        )
    await bus.watch_owner(NAME, lambda _: ring())


async def read(bus: Bus) -> Power | None:
    """None where there is no UPower, or it does not answer. Asking starts it where it may be."""
    try:
        main = await _properties(bus, PATH, NAME)
        device = await _properties(bus, ALL_BATTERIES, f"{NAME}.Device")
    except (BusGone, BusRefused):
        return None
    return power_of(main, device)


def power_of(main: Mapping[str, Any], device: Mapping[str, Any]) -> Power | None:
    """What both say; None where they do not say what a night has to know."""
    on_battery, present = main.get("OnBattery"), device.get("IsPresent")
    if not isinstance(on_battery, bool) or not isinstance(present, bool):
        return None
    percent = device.get("Percentage")
    closed = main.get("LidIsClosed")
    return Power(
        on_ac=not on_battery,
        has_battery=present,
        percent=float(percent) if present and isinstance(percent, (int, float)) else None,
        charging=device.get("State") == CHARGING,
        lid_closed=bool(closed) if main.get("LidIsPresent") else None,
    )


async def _properties(bus: Bus, path: str, interface: str) -> Mapping[str, Any]:
    (found,) = await bus.call(NAME, path, PROPERTIES, "GetAll", "s", interface)
    return found if isinstance(found, Mapping) else {}
