"""How the machine is powered, as the kernel says it in /sys/class/power_supply.

https://docs.kernel.org/power/power_supply_class.html. The kernel tells of changes over netlink, a
kind of socket that the service does without, so it is looked at again and again.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from daemon.conditions.power import Power
from daemon.system_files import value_of

FOLDER = "sys/class/power_supply"
LID_FOLDER = "proc/acpi/button/lid"
FILES = (
    "type", "scope", "online", "present", "status", "capacity",
    "energy_now", "energy_full", "charge_now", "charge_full",
)  # fmt: skip

Supply = Mapping[str, str]  # the files above that one has, without their line ends


def read(root: Path) -> Power | None:
    """None where there is no such folder, which is not Linux or hides it. Blocks a little."""
    try:
        folders = sorted((root / FOLDER).iterdir())
    except OSError:
        return None
    return power_of([_supply(folder) for folder in folders], lid_closed=read_lid(root))


def power_of(supplies: Iterable[Supply], *, lid_closed: bool | None = None) -> Power:
    """What all supplies say together. A mouse's battery is none of the machine's."""
    own = [one for one in supplies if one.get("scope") != "Device"]
    batteries = [
        one for one in own if one.get("type") in ("Battery", "UPS") and one.get("present") != "0"
    ]
    if not batteries:
        return Power(on_ac=True, has_battery=False, lid_closed=lid_closed)
    states = {one.get("status") for one in batteries}
    return Power(
        on_ac=_on_ac([one for one in own if one not in batteries], states),
        has_battery=True,
        percent=_percent(batteries),
        charging="Charging" in states,
        lid_closed=lid_closed,
    )


def _on_ac(chargers: list[Supply], states: set[str | None]) -> bool | None:
    """USB ports are also online when they charge another device, so they count only while no
    battery is drained."""
    drained = "Discharging" in states
    told = [one for one in chargers if one.get("online") in ("0", "1")]
    plugged = [one for one in told if one["online"] == "1"]
    if any(one.get("type") == "Mains" for one in plugged):
        return True
    if plugged and not drained:
        return True
    if drained:
        return False
    if states & {"Charging", "Full", "Not charging"}:  # a charger that is no supply of its own
        return True
    return False if told else None


def _percent(batteries: list[Supply]) -> float | None:
    """Of all together: by energy or charge where all tell it, else the mean of their percentages.

    One of which nothing is known makes the whole unknown.
    """
    for kind in ("energy", "charge"):
        filled = [(_number(one, f"{kind}_now"), _number(one, f"{kind}_full")) for one in batteries]
        known = [(now, full) for now, full in filled if now is not None and full]
        if len(known) == len(batteries):
            return min(100.0, 100.0 * sum(now for now, _ in known) / sum(full for _, full in known))
    shares = [share for one in batteries if (share := _number(one, "capacity")) is not None]
    return sum(shares) / len(shares) if len(shares) == len(batteries) else None


def read_lid(root: Path) -> bool | None:
    """Whether the lid is closed, by ACPI; None where there is none or nobody says."""
    found = [line.split() for text in _lids(root) for line in text.splitlines()]
    states = [words[1] for words in found if len(words) == 2 and words[0] == "state:"]
    return "closed" in states if states else None


def _lids(root: Path) -> Iterator[str]:
    try:
        folders = list((root / LID_FOLDER).iterdir())
    except OSError:
        return
    for folder in folders:
        if (text := value_of(folder / "state")) is not None:
            yield text


def _supply(folder: Path) -> Supply:
    found = {name: value_of(folder / name) for name in FILES}
    return {name: text for name, text in found.items() if text is not None}


def _number(supply: Supply, name: str) -> float | None:
    try:
        return float(supply[name])
    except (KeyError, ValueError):
        return None
