"""What this machine could give away of a running nightloom: swap, hibernation, core dumps, modes.

Findings from what the system says about itself. Everything here is pure but `read_host`. Linux
says much; of macOS only FileVault is asked, since its swap is sealed anyway.
"""

import os
import resource
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from daemon.doctor import Finding
from daemon.home import Home
from daemon.system_files import entries_of, text_of

PR_GET_DUMPABLE = 3
FDESETUP = "/usr/bin/fdesetup"
FDESETUP_SECONDS = 5.0
ENCRYPTED_SWAP = (
    "Seal the swap (a dm-crypt device with a random key in /etc/crypttab), or use zram, or `sudo "
    "swapoff -a`."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A block device, as /sys/block has it."""

    name: str
    mapped_as: str = ""  # dm/uuid: "CRYPT-LUKS2-...", "LVM-..."
    below: tuple[str, ...] = ()  # slaves
    backing: str = ""  # of zram: a device that it writes out to


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapArea:
    """A line of /proc/swaps. `device` is the one that holds it, "" where nobody can tell."""

    kind: str  # "partition" or "file"
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReadings:
    """What was read. None: this system does not say."""

    swaps: tuple[SwapArea, ...] | None = None
    devices: Mapping[str, Device] = field(default_factory=dict)
    power_states: str | None = None  # /sys/power/state
    resumes_from: str | None = None  # /sys/power/resume: "259:3", "0:0" for none
    core_pattern: str | None = None
    core_limit: int | None = None  # of this process
    dumpable: bool | None = None  # this process
    open_folders: int = 0  # of the home, with rights for others
    file_vault: bool | None = None


# --------------------------------------------------------------------------- judging


def host_findings(read: HostReadings) -> list[Finding]:
    """In the order in which they matter; what the system does not say is left out."""
    found = (_swap(read), _hibernation(read), _core_dumps(read), _file_vault(read), _modes(read))
    return [one for one in found if one is not None]


def warnings(found: list[Finding]) -> list[dict[str, Any]]:
    """Those that want doing something, for `status`."""
    return [
        {"name": one.name, "value": one.value, "advice": one.advice}
        for one in found
        if one.holds is False
    ]


def in_clear(area: SwapArea, devices: Mapping[str, Device]) -> bool | None:
    """Whether memory that is swapped out there could be read from the disk. None: unknown."""
    return None if not area.device else _is_clear(area.device, devices, frozenset())


def _is_clear(name: str, devices: Mapping[str, Device], seen: frozenset[str]) -> bool | None:
    device = devices.get(name)
    if device is None or name in seen:
        return None
    if device.mapped_as.startswith("CRYPT-"):
        return False
    if name.startswith("zram"):
        return _is_clear(device.backing, devices, seen | {name}) if device.backing else False
    if not device.below:
        return True
    answers = {_is_clear(one, devices, seen | {name}) for one in device.below}
    return True if True in answers else None if None in answers else False


def _swap(read: HostReadings) -> Finding | None:
    if read.swaps is None:
        return None
    clear = [in_clear(area, read.devices) for area in read.swaps]
    if True in clear:
        return Finding(name="swap", holds=False, value="lies in clear", advice=ENCRYPTED_SWAP)
    if None in clear:
        return Finding(name="swap", holds=None, value="is there; whether it is sealed is not known")
    return Finding(
        name="swap", holds=True, value="stays in memory or is sealed" if clear else "none"
    )


def _hibernation(read: HostReadings) -> Finding | None:
    """All of the memory, keys included, goes to the swap that it resumes from."""
    if read.power_states is None or read.swaps is None:
        return None
    possible = "disk" in read.power_states.split() and any(
        not area.device.startswith("zram") for area in read.swaps
    )
    clear = any(in_clear(area, read.devices) is True for area in read.swaps)
    if possible and clear and read.resumes_from not in (None, "", "0:0"):
        return Finding(
            name="hibernation",
            holds=False,
            value="would write the keys to a disk in clear",
            advice="Seal the swap, or turn it off: `sudo systemctl mask hibernate.target "
            "hybrid-sleep.target`.",
        )
    return Finding(name="hibernation", holds=True, value="writes nothing in clear")


def _core_dumps(read: HostReadings) -> Finding | None:
    if read.dumpable is None or read.core_pattern is None:
        return None
    piped = read.core_pattern.startswith("|")  # then the limit does not count; see core(5)
    if not read.dumpable or (read.core_limit == 0 and not piped):
        return Finding(name="core dumps", holds=True, value="are off for nightloom")
    return Finding(
        name="core dumps",
        holds=False,
        value="of nightloom would be kept" + (" by a program" if piped else ""),
        advice="Start the service with `nightloom run`, which turns them off for itself.",
    )


def _file_vault(read: HostReadings) -> Finding | None:
    if read.file_vault is None:
        return None
    return Finding(
        name="FileVault",
        holds=read.file_vault,
        value="is on" if read.file_vault else "is off",
        advice="" if read.file_vault else "Turn it on in System Settings.",
    )


def _modes(read: HostReadings) -> Finding:
    if not read.open_folders:
        return Finding(name="permissions", holds=True, value="the home is its owner's alone")
    return Finding(
        name="permissions",
        holds=False,
        value=f"{read.open_folders} of nightloom's folders are open to others",
        advice="Take their rights away: `chmod -R go-rwx` on nightloom's folder.",
    )


# --------------------------------------------------------------------------- parsing


def parse_swaps(text: str) -> list[tuple[str, str]]:
    """Path and kind of each line of /proc/swaps. Blanks in a path are written `\\040` there."""
    found = []
    for line in text.splitlines()[1:]:
        cells = line.split()
        if len(cells) >= 5:
            found.append((cells[0].replace("\\040", " ").replace("\\011", "\t"), cells[1]))
    return found


def parse_file_vault(text: str) -> bool | None:
    """The answer of `fdesetup status`."""
    if "FileVault is On" in text:
        return True
    return False if "FileVault is Off" in text else None


# --------------------------------------------------------------------------- reading


def read_host(home: Home, *, root: Path = Path("/")) -> HostReadings:
    """Small files of /proc and /sys; what cannot be read is not known. Under a tenth of a second.

    Args:
        root: where /proc and /sys are; tests give another.
    """
    if sys.platform == "darwin":
        return HostReadings(open_folders=_open_folders(home), file_vault=_ask_file_vault())
    swaps = text_of(root / "proc/swaps")
    areas = [] if swaps is None else parse_swaps(swaps)
    return HostReadings(
        swaps=None
        if swaps is None
        else tuple(
            SwapArea(kind=kind, device=_device_of(path, kind, root)) for path, kind in areas
        ),
        devices=_devices(root),
        power_states=text_of(root / "sys/power/state"),
        resumes_from=(text_of(root / "sys/power/resume") or "").strip(),
        core_pattern=text_of(root / "proc/sys/kernel/core_pattern"),
        core_limit=resource.getrlimit(resource.RLIMIT_CORE)[0],
        dumpable=_dumpable(),
        open_folders=_open_folders(home),
    )


def examine_host(home: Home) -> list[Finding]:
    """As the service sees it: core dumps are its own."""
    return host_findings(read_host(home))


def examine_machine(home: Home) -> list[Finding]:
    """As a command sees it, which is not what holds the keys: nothing about core dumps."""
    return host_findings(replace(read_host(home), dumpable=None))


def host_warnings(home: Home) -> list[dict[str, Any]]:
    """What wants doing on this machine, as `status` lists it."""
    return warnings(examine_host(home))


def _devices(root: Path) -> dict[str, Device]:
    found = {}
    for folder in entries_of(root / "sys/block"):
        device = Device(
            name=folder.name,
            mapped_as=(text_of(folder / "dm/uuid") or "").strip(),
            below=tuple(_disk(one.name, root) for one in entries_of(folder / "slaves")),
            backing=_backing(folder, root),
        )
        found[device.name] = device
    return found


def _backing(folder: Path, root: Path) -> str:
    told = (text_of(folder / "backing_dev") or "none").strip()
    return "" if told == "none" else _disk(Path(told).name, root)


def _device_of(path: str, kind: str, root: Path) -> str:
    """The entry of /sys/block that holds a swap area."""
    if kind == "partition":
        return _disk(Path(os.path.realpath(path)).name, root)
    try:
        number = Path(path).stat().st_dev
    except OSError:
        return ""
    link = root / f"sys/dev/block/{os.major(number)}:{os.minor(number)}"
    return _disk(Path(os.path.realpath(link)).name, root) if link.exists() else ""


def _disk(name: str, root: Path) -> str:
    """`sda2` is a part of `sda`; other names stand for themselves. "" is not known."""
    if (root / "sys/block" / name).exists():
        return name
    for folder in entries_of(root / "sys/block"):
        if (folder / name).exists():
            return folder.name
    return ""


def _dumpable() -> bool | None:
    import ctypes

    try:
        return bool(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
    except (OSError, AttributeError):
        return None


def _open_folders(home: Home) -> int:
    """The outermost ones: nobody comes through them to what is inside."""
    uid, count = os.geteuid(), 0
    for folder in home.own_folders:
        try:
            status = folder.stat()
        except OSError:
            continue
        count += status.st_uid != uid or bool(stat.S_IMODE(status.st_mode) & 0o077)
    return count


def _ask_file_vault() -> bool | None:
    try:
        told = subprocess.run(
            [FDESETUP, "status"],
            capture_output=True,
            check=False,
            timeout=FDESETUP_SECONDS,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_file_vault(told.stdout)
