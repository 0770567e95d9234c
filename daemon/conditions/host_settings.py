"""How this machine is set to treat a lid, a logout and idleness. Knows nothing of nights.

https://www.freedesktop.org/software/systemd/man/logind.conf.html, sleep.conf.d; GNOME's settings by
`gsettings`, macOS's by `pmset`.
"""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from daemon.system_files import entries_of, text_of

# Of one name the first that is there counts; all names together are read in their order.
FOLDERS = ("etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd")
LINGER = "var/lib/systemd/linger"
SLEEP_UNITS = ("sleep.target", "suspend.target")
SLEEPS = frozenset({"suspend", "hibernate", "hybrid-sleep", "suspend-then-hibernate", "sleep"})
NO = frozenset({"no", "false", "off", "0", "n", "f"})
ASK_SECONDS = 3.0  # what a program may take that is asked for a setting
_SECTION = re.compile(r"\[(.+)\]")

Ask = Callable[[Sequence[str]], str | None]


# --------------------------------------------------------------------------- parsing


def parse_section(texts: Iterable[str], section: str) -> dict[str, str]:
    """One section of such files together, the later ones over the earlier. An empty value is the
    default again."""
    found: dict[str, str] = {}
    for text in texts:
        inside = False
        for line in text.splitlines():
            line = line.strip()
            if not line or line[0] in "#;":
                continue
            if heading := _SECTION.fullmatch(line):
                inside = heading[1] == section
            elif inside and "=" in line:
                key, _, value = line.partition("=")
                found[key.strip()] = value.strip()
    return {key: value for key, value in found.items() if value}


def lid_action(login: Mapping[str, str]) -> str:
    """What closing the lid does while plugged in, by the section `[Login]`."""
    always = login.get("HandleLidSwitch", "suspend")
    return login.get("HandleLidSwitchExternalPower", always)


def gnome_sleep_minutes(action: str, seconds: str) -> int | None:
    """Of what `gsettings get` prints for both; None where that is nothing known. 0 is never."""
    if not seconds.strip().removeprefix("int32 ").isdigit() or not action.strip():
        return None
    after = int(seconds.strip().removeprefix("int32 "))
    return max(1, after // 60) if action.strip().strip("'") in SLEEPS and after else 0


def mac_sleep_minutes(text: str) -> int | None:
    """Of what `pmset -g` prints, for the power that is in use now. 0 is never."""
    found = re.search(r"^\s*sleep\s+(\d+)\b", text, re.MULTILINE)
    return int(found[1]) if found else None


def sleeps_when_idle(login: Mapping[str, str]) -> bool:
    return login.get("IdleAction", "ignore") in SLEEPS


# --------------------------------------------------------------------------- reading


def printed(command: Sequence[str]) -> str | None:
    """What a program prints; None where it is not there, fails or takes too long."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=ASK_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def lingers(root: Path = Path("/"), user: str | None = None) -> bool | None:
    """Whether a user's services go on after a logout; None for a user without a name."""
    try:
        name = user or pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return None
    return (root / LINGER / name).exists()


def can_sleep(root: Path) -> bool:
    """Whether neither the settings nor a masked unit forbid it."""
    sleep = parse_section(settings_files(root, "sleep.conf"), "Sleep")
    if sleep.get("AllowSuspend", "yes").lower() in NO:
        return False
    return not any(
        _is_masked(root / folder / "system" / unit)
        for folder in ("etc/systemd", "run/systemd")
        for unit in SLEEP_UNITS
    )


def settings_files(root: Path, name: str) -> list[str]:
    """What stands in systemd's settings of this name, in the order in which they count."""
    main = (text_of(root / folder / name) for folder in FOLDERS)
    first = next((text for text in main if text is not None), "")
    pieces: dict[str, Path] = {}
    for folder in FOLDERS:
        for file in entries_of(root / folder / f"{name}.d"):
            if file.suffix == ".conf":
                pieces.setdefault(file.name, file)
    return [first, *((text_of(pieces[one]) or "") for one in sorted(pieces))]


def _is_masked(unit: Path) -> bool:
    try:
        return str(unit.readlink()) == "/dev/null"
    except OSError:
        return False
