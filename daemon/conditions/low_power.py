"""Whether the user asked the machine to save power: power profiles, the firmware's, or macOS's.

A machine that knows no such mode is not held by it. A service for profiles that has answered once
and does not now leaves it unknown.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

from daemon.conditions.bus import Bus, BusGone, BusRefused
from daemon.conditions.looking import Ring
from daemon.conditions.reading import Reading, unknown

NAMES = ("low_power",)
PROPERTIES = "org.freedesktop.DBus.Properties"
# power-profiles-daemon since 0.20 and before; tuned-ppd has both names too
SERVICES = (
    ("org.freedesktop.UPower.PowerProfiles", "/org/freedesktop/UPower/PowerProfiles"),
    ("net.hadess.PowerProfiles", "/net/hadess/PowerProfiles"),
)
PLATFORM_PROFILE = "sys/firmware/acpi/platform_profile"
SAVING = frozenset({"power-saver", "low-power"})  # the service's word and the kernel's
NORMAL = "no power saving"
ADVICE = "Leave the power saving mode, in the settings or with `powerprofilesctl set balanced`."


def reading_of(profile: str | None) -> Reading:
    """Of a profile as it is called on this machine; None: there is no such thing."""
    if profile is None:
        return Reading(name="low_power", holds=True, value="no such mode here", threshold=NORMAL)
    saving = profile in SAVING
    return Reading(
        name="low_power",
        holds=not saving,
        value=profile[:40],
        threshold=NORMAL,
        reason="low_power" if saving else "",
        advice=ADVICE if saving else "",
    )


class LinuxProfile:
    """The profile in use, asked of whoever manages it.

    Args:
        bus: the system's.
        root: where /sys is; tests give another.
    """

    def __init__(self, bus: Bus, root: Path) -> None:
        self._bus = bus
        self._root = root
        self._managed = False  # somebody has told the profile, and did not go since

    async def listen(self, ring: Ring) -> None:
        for name, path in SERVICES:
            await self._bus.subscribe(
                PROPERTIES, "PropertiesChanged", lambda _: ring(), path=path, sender=name
            )
            await self._bus.watch_owner(name, lambda _: ring())

    async def look(self) -> tuple[Reading, ...]:
        try:
            profile = await self._told()
        except BusGone:
            if self._managed:
                return (unknown("low_power", threshold=NORMAL),)
            profile = None
        if profile is not None:
            self._managed = True
            return (reading_of(profile),)
        return (reading_of(read_platform_profile(self._root)),)

    async def _told(self) -> str | None:
        """By a service that runs; None where there is none. Raises BusGone."""
        for name, path in SERVICES:
            if not await self._bus.owned(name):
                continue
            try:
                (profile,) = await self._bus.call(
                    name, path, PROPERTIES, "Get", "ss", name, "ActiveProfile"
                )
            except BusRefused:
                continue
            if isinstance(profile, str):
                return profile
        self._managed = False
        return None


def mac_look(
    ask: Callable[[], Awaitable[bool | None]],
) -> Callable[[], Awaitable[tuple[Reading, ...]]]:
    """A look at macOS's low power mode."""

    async def look() -> tuple[Reading, ...]:
        on = await ask()
        if on is None:
            return (unknown("low_power", threshold=NORMAL),)
        return (reading_of("low-power" if on else "normal"),)

    return look


def read_platform_profile(root: Path) -> str | None:
    """The firmware's profile, where it has some."""
    try:
        return (root / PLATFORM_PROFILE).read_text("ascii", "replace").strip() or None
    except OSError:
        return None
