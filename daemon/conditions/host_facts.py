"""What ends or prevents nights on this machine without anybody meaning it: a closed lid, a logout,
a machine that goes to sleep before the window begins. Read from files, said with what to do. What
is read of macOS has not been tried on a Mac.

https://www.freedesktop.org/software/systemd/man/logind.conf.html, sleep.conf.d. nightloom's own
inhibitor keeps a machine awake while it works, but against a lid it does nothing: logind does not
ask it (LidSwitchIgnoreInhibited), and should not, in a bag.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from daemon.conditions import pmset, power_supply, temperature_sensors
from daemon.conditions.host_settings import (
    SLEEPS,
    Ask,
    can_sleep,
    gnome_sleep_minutes,
    lid_action,
    lingers,
    mac_sleep_minutes,
    parse_section,
    printed,
    settings_files,
    sleeps_when_idle,
)
from daemon.doctor import Finding
from daemon.system_files import text_of

__all__ = ["HostFacts", "lingers", "night_findings", "read_host_facts"]

RUNS = "run/systemd/system"  # is there exactly where systemd is the init
CHASSIS = "sys/class/dmi/id/chassis_type"
PORTABLE = frozenset({"8", "9", "10", "14", "30", "31", "32"})  # SMBIOS 7.4.1: laptops and the like
LID = (
    "Leave it open at night. Or put the lines `[Login]` and `HandleLidSwitchExternalPower=ignore` "
    "into /etc/systemd/logind.conf.d/lid.conf and restart; KDE and Xfce have their own setting."
)
MAC_LID = "Leave it open at night, or let a screen be connected as well."
LOGOUT = "Stay logged in, or say once: `loginctl enable-linger`."
MAC_LOGOUT = "Stay logged in; locking the screen is enough."
GNOME_POWER = "org.gnome.settings-daemon.plugins.power"
GNOME_ACTION, GNOME_SECONDS = "sleep-inactive-ac-type", "sleep-inactive-ac-timeout"
LETS_WORK = frozenset({"ignore", "lock"})  # what a lid may do


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """None: this system does not say, or has no such thing.

    Args:
        lid: there is one.
        lid_closed: now.
        lid_action: what closing it does while plugged in, in logind's words.
        lingers: the user's services go on after the last logout.
        sleeps_when_idle: the machine does so of itself, by logind's settings.
        sleep_minutes: idle ones, after which the desktop or macOS puts it to sleep while plugged
            in; 0 for never.
        can_sleep: it is not forbidden to sleep.
        sensor: the processor's temperature can be read.
        mac: what can be done about it is another matter.
    """

    lid: bool | None = None
    lid_closed: bool | None = None
    lid_action: str | None = None
    lingers: bool | None = None
    sleeps_when_idle: bool | None = None
    sleep_minutes: int | None = None
    can_sleep: bool | None = None
    sensor: bool | None = None
    mac: bool = False


# --------------------------------------------------------------------------- what is said of it


def night_findings(facts: HostFacts) -> list[Finding]:
    """For `doctor`, `setup` and `why`; what the system does not say is left out."""
    found = (_lid(facts), _lingering(facts), _sleep(facts), _sensor(facts))
    return [one for one in found if one is not None]


def _lid(facts: HostFacts) -> Finding | None:
    if not facts.lid or facts.lid_action is None:
        return None
    if facts.lid_action in LETS_WORK or (facts.can_sleep is False and facts.lid_action in SLEEPS):
        return Finding(name="lid", holds=True, value="a night goes on when it is closed")
    return Finding(
        name="lid",
        holds=None,
        value=f"closing it ends a night ({facts.lid_action})",
        advice=MAC_LID if facts.mac else LID,
    )


def _lingering(facts: HostFacts) -> Finding | None:
    if facts.lingers is None:
        return None
    return Finding(
        name="logout",
        holds=True if facts.lingers else None,
        value="nightloom goes on after it" if facts.lingers else "it ends nightloom and its night",
        advice="" if facts.lingers else MAC_LOGOUT if facts.mac else LOGOUT,
    )


def _sleep(facts: HostFacts) -> Finding | None:
    minutes, by_logind = facts.sleep_minutes, facts.sleeps_when_idle
    if minutes is None and by_logind is None:
        return None
    if facts.can_sleep is False or not (minutes or by_logind):
        return Finding(name="sleep", holds=True, value="not by itself, as far as is known")
    after = f"after {minutes} minutes without input" if minutes else "when nobody uses it"
    return Finding(
        name="sleep",
        holds=None,
        value=f"by itself {after}, also when plugged in",
        advice=f"nightloom keeps it awake only while it works. {_way_to_stay_awake(facts)}",
    )


def _way_to_stay_awake(facts: HostFacts) -> str:
    """So that the machine is still awake when the window begins."""
    if facts.mac:
        return "Let it stay awake on AC: `sudo pmset -c sleep 0`."
    if facts.sleep_minutes:
        return f"Let it stay awake on AC: `gsettings set {GNOME_POWER} {GNOME_ACTION} nothing`."
    return "Let it stay awake: `IdleAction=ignore` in /etc/systemd/logind.conf."


def _sensor(facts: HostFacts) -> Finding | None:
    if facts.sensor is None:
        return None
    return Finding(
        name="temperature",
        holds=True if facts.sensor else None,
        value="is read" if facts.sensor else "no sensor; heat does not hold a night here",
    )


# --------------------------------------------------------------------------- reading


def read_host_facts(
    *,
    root: Path = Path("/"),
    user: str | None = None,
    platform: str = sys.platform,
    environ: Mapping[str, str] | None = None,
    ask: Ask = printed,
) -> HostFacts:
    """Small files, and on GNOME and macOS two programs that are asked; some milliseconds.

    Args:
        root: where all the others are; tests give another.
        user: whose services; None: whoever asks.
        environ: says which desktop it is.
        ask: what a program prints; None where it is not there.
    """
    if platform == "darwin":
        return _mac_facts(ask)
    if platform != "linux":
        return HostFacts()
    desktop = (os.environ if environ is None else environ).get("XDG_CURRENT_DESKTOP", "")
    closed = power_supply.read_lid(root)
    facts = HostFacts(
        lid=closed is not None or (text_of(root / CHASSIS) or "").strip() in PORTABLE,
        lid_closed=closed,
        sensor=temperature_sensors.read(root).sensors > 0,
        sleep_minutes=_gnome_sleeps(ask) if "GNOME" in desktop.split(":") else None,
    )
    if not (root / RUNS).is_dir():
        return facts
    login = parse_section(settings_files(root, "logind.conf"), "Login")
    return replace(
        facts,
        lid_action=lid_action(login),
        lingers=lingers(root, user),
        sleeps_when_idle=sleeps_when_idle(login),
        can_sleep=can_sleep(root),
    )


def _mac_facts(ask: Ask) -> HostFacts:
    """A Mac with a battery is one that can be closed."""
    power = pmset.parse_batteries(ask([pmset.PMSET, "-g", "batt"]) or "")
    return HostFacts(
        lid=None if power is None else power.has_battery,
        lid_action="sleep",
        lingers=False,
        sleep_minutes=mac_sleep_minutes(ask([pmset.PMSET, "-g"]) or ""),
        mac=True,
    )


def _gnome_sleeps(ask: Ask) -> int | None:
    action, seconds = (
        ask(["gsettings", "get", GNOME_POWER, key]) for key in (GNOME_ACTION, GNOME_SECONDS)
    )
    return gnome_sleep_minutes(action or "", seconds or "")
