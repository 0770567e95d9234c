"""Which installed distributions are not pinned, or at another version? Exits with 1 if any is.

Usage: python unpinned.py CONSTRAINTS...   (asks the environment that it runs in)

pip itself belongs to the environment, not to what is installed into it, and is left out; so is
nightloom. A local version counts as its public one: torch 2.13.0+cpu is 2.13.0.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import distributions
from pathlib import Path

NOT_PINNED = {"pip", "nightloom"}


def read_pins(lines: Iterable[str]) -> dict[str, str]:
    """Versions by normalised name. Raises ValueError for a line that pins nothing exactly."""
    pins: dict[str, str] = {}
    for line in lines:
        text = line.partition("#")[0].strip()
        if not text:
            continue
        name, equals, version = text.partition("==")
        if not equals or not re.fullmatch(r"[\w.]+", version) or not re.fullmatch(r"[\w.-]+", name):
            raise ValueError(f"this line pins nothing exactly: {text}")
        if normalised(name) in pins:
            raise ValueError(f"{name} is pinned twice")
        pins[normalised(name)] = version
    return pins


def normalised(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def unpinned(installed: Mapping[str, str], pins: Mapping[str, str]) -> list[str]:
    """One line per distribution that is not installed as it is pinned."""
    found = []
    for name, version in sorted(installed.items()):
        pinned = pins.get(normalised(name))
        if normalised(name) not in NOT_PINNED and pinned != version.partition("+")[0]:
            found.append(f"{name} {version} is installed and {pinned or 'nothing'} is pinned")
    return found


def installed_here() -> dict[str, str]:
    """Names and versions of all that this environment holds."""
    return {each.metadata["Name"]: each.version for each in distributions()}


if __name__ == "__main__":
    pins = read_pins(line for path in sys.argv[1:] for line in Path(path).read_text().splitlines())
    complaints = unpinned(installed_here(), pins)
    print("\n".join(complaints), end="\n" if complaints else "")
    sys.exit(1 if complaints else 0)
