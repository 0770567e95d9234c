"""The processor's temperature out of /sys: hwmon first, thermal zones where it has none.

https://docs.kernel.org/hwmon/sysfs-interface.html, /driver-api/thermal/sysfs-api.html. Disks,
batteries and wireless cards have sensors and limits of their own and are left out; graphics cards
are the driver's affair.
"""

from collections.abc import Iterator
from pathlib import Path

from daemon.conditions.temperature import Sensed
from daemon.system_files import entries_of, value_of

HWMON = "sys/class/hwmon"
ZONES = "sys/class/thermal"
# Drivers whose sensors are on the processor's die.
PROCESSOR_DRIVERS = frozenset({
    "coretemp", "k10temp", "k8temp", "zenpower", "via_cputemp", "cpu_thermal",
    "soc_thermal", "scpi_sensors", "macsmc_hwmon",
})  # fmt: skip
PROCESSOR_ZONES = ("x86_pkg_temp", "cpu", "soc", "cluster", "big", "little", "tcpu", "b0d4")
OTHER_ZONES = ("acpitz",)  # of the firmware; often a fixed number, so only where nothing else is
CONTROL_LABEL, DIE_LABEL = "Tctl", "Tdie"  # AMD: the first may have an offset of up to 27 degrees
PLAUSIBLE = (1.0, 149.0)  # beside it firmware means that it does not know


def read(root: Path) -> Sensed:
    """The hottest sensor of the best kind that there is. May block for some milliseconds."""
    for kind in (_hwmon, _processor_zones, _other_zones):
        files = list(kind(root))
        if files:
            found = [celsius for file in files if (celsius := _celsius(file)) is not None]
            return Sensed(sensors=len(files), celsius=max(found, default=None))
    return Sensed(sensors=0, celsius=None)


def _hwmon(root: Path) -> Iterator[Path]:
    for folder in _entries(root / HWMON, "hwmon"):
        if value_of(folder / "name") in PROCESSOR_DRIVERS:
            yield from _inputs(folder)


def _inputs(folder: Path) -> Iterator[Path]:
    """Of one chip; the control value is not one where the die's own is there."""
    files = [one for one in _entries(folder, "temp") if one.name.endswith("_input")]
    labels = {one: value_of(one.with_name(one.name.replace("_input", "_label"))) for one in files}
    has_die = DIE_LABEL in labels.values()
    return (one for one in files if not (has_die and labels[one] == CONTROL_LABEL))


def _processor_zones(root: Path) -> Iterator[Path]:
    return _zones(root, PROCESSOR_ZONES)


def _other_zones(root: Path) -> Iterator[Path]:
    return _zones(root, OTHER_ZONES)


def _zones(root: Path, kinds: tuple[str, ...]) -> Iterator[Path]:
    for folder in _entries(root / ZONES, "thermal_zone"):
        if (value_of(folder / "type") or "").lower().startswith(kinds):
            yield folder / "temp"


def _celsius(file: Path) -> float | None:
    """Millidegrees in a file; None where the driver does not know."""
    try:
        celsius = int(value_of(file) or "") / 1000
    except ValueError:
        return None
    return celsius if PLAUSIBLE[0] <= celsius <= PLAUSIBLE[1] else None


def _entries(folder: Path, beginning: str) -> list[Path]:
    return [one for one in entries_of(folder) if one.name.startswith(beginning)]
