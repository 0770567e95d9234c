"""Writes what packaging/systemd and packaging/launchd hold: `python packaging/units.py`.

The units are the package's own. The drop-ins and the agent are examples of what `nightloom service
install` writes for one user, the bridge's unit is one to copy. A test compares all of them with
what the code makes now.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # it is run as a file

from daemon.installing.bridge_unit import BRIDGE, bridge_unit  # noqa: E402
from daemon.installing.launchd_agent import LABEL, as_text, property_list  # noqa: E402
from daemon.installing.systemd_units import Placed, drop_ins, units  # noqa: E402

COMMAND = Path("/opt/nightloom/bin/nightloom")
DATA = Path("/home/somebody/.local/share/nightloom")
CONFIG = Path("/home/somebody/.config/nightloom")
RUNTIME = Path("/run/user/1000/nightloom")
MAC = Path("/Users/somebody/Library/Application Support/nightloom")


def files() -> dict[str, str]:
    """Path below packaging/, text."""
    placed = Placed(
        memory_high_bytes=1_800_000_000, namespaces=True, writable=(DATA, CONFIG, RUNTIME)
    )
    agent = property_list(
        COMMAND,
        api_socket=MAC / "run/api/api.sock",
        admin_socket=MAC / "run/admin/admin.sock",
        log=MAC / "run/service.log",
        environment={},
    )
    systemd = units(COMMAND) | drop_ins(placed) | {BRIDGE: bridge_unit(COMMAND)}
    return {f"systemd/{name}": text for name, text in systemd.items()} | {
        f"launchd/{LABEL}.plist": as_text(agent)
    }


if __name__ == "__main__":
    for name, text in files().items():
        path = ROOT / "packaging" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
