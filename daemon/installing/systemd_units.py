"""The texts of systemd's user units and of their drop-ins, made from values. Pure.

`packaging/systemd` holds what this makes for the Debian package, and a test compares them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from daemon.installing.directives import (
    MEMORY_HIGH,
    NAMESPACES,
    UNIT,
    Directive,
    naming,
)

SERVICE = "nightloom.service"
API_SOCKET = "nightloom-api.socket"
ADMIN_SOCKET = "nightloom-admin.socket"
SOCKETS = (API_SOCKET, ADMIN_SOCKET)
UNITS = (SERVICE, *SOCKETS)
SOCKET_PATHS = {API_SOCKET: "api/api.sock", ADMIN_SOCKET: "admin/admin.sock"}
RUNTIME = "%t/nightloom"  # where `Home` has it when nothing else is named
WATCHDOG_SECONDS = 180
STOP_SECONDS = 120  # a night that works writes its checkpoint first
MADE = "# Made by nightloom; `nightloom service install` makes it again."
NO_RESTART = (2, 3, 5)  # usage, locked, refused: trying again changes nothing

Units = dict[str, str]  # path below systemd's folder of user units, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What one user's installation adds to the units.

    Args:
        environment: of the service; where its home is, if that is not the usual one.
        runtime: the folder of the sockets, if it is not the usual one.
        writable: folders that are the service's own, for the namespaces' drop-in.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    runtime: Path | None = None
    memory_high_bytes: int | None = None
    namespaces: bool = False
    writable: Sequence[Path] = ()


def units(command: Path) -> Units:
    """The three units, for the `nightloom` that is at `command`."""
    return {SERVICE: service_unit(command)} | {name: socket_unit(name) for name in SOCKETS}


def service_unit(command: Path) -> str:
    lines = [
        *_heading(SERVICE),
        "[Unit]",
        "Description=nightloom: learns from what you write, while you sleep",
        "Documentation=man:nightloom(1)",
        f"Requires={' '.join(SOCKETS)}",
        f"After={' '.join(SOCKETS)}",
        "StartLimitIntervalSec=600",
        "StartLimitBurst=5",
        "",
        "[Service]",
        "Type=notify",
        f"ExecStart={quoted(str(command))} run",
        "Restart=on-failure",
        "RestartSec=10",
        f"RestartPreventExitStatus={' '.join(map(str, NO_RESTART))}",
        f"WatchdogSec={WATCHDOG_SECONDS}",
        f"TimeoutStopSec={STOP_SECONDS}",
        "# The service ends its children in order; what is left after that is killed.",
        "KillMode=mixed",
        "# An engine that is killed for want of memory is started again at the next request.",
        "OOMPolicy=continue",
        "",
        *_asked("UNIT", UNIT),
        "SystemCallErrorNumber=EPERM",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return _text(lines)


def socket_unit(name: str) -> str:
    short = SOCKET_PATHS[name].partition("/")[0]
    return _text(
        [
            *_heading(name),
            "[Unit]",
            f"Description=nightloom's {short} socket",
            "Documentation=man:nightloom(1)",
            "",
            "[Socket]",
            f"ListenStream={RUNTIME}/{SOCKET_PATHS[name]}",
            f"FileDescriptorName={short}",
            "SocketMode=0600",
            "DirectoryMode=0700",
            "RemoveOnStop=yes",
            f"Service={SERVICE}",
            "",
            "[Install]",
            "WantedBy=sockets.target",
        ]
    )


def drop_ins(placed: Placed) -> Units:
    """What belongs to one user and one home; empty where all is as usual."""
    found: Units = {}
    if placed.environment:
        lines = [f"Environment={quoted(f'{k}={v}')}" for k, v in sorted(placed.environment.items())]
        found[_drop_in(SERVICE, "10-home")] = _drop_in_text("Where the home is.", lines)
    if placed.runtime is not None:
        for name, path in SOCKET_PATHS.items():
            at = escaped(str(placed.runtime / path))
            lines = ["ListenStream=", f"ListenStream={at}"]
            found[_drop_in(name, "10-home")] = _drop_in_text("Where the home is.", lines, "Socket")
    if placed.memory_high_bytes is not None:
        found[_drop_in(SERVICE, "20-memory")] = _drop_in_text(
            "What the service and a night on the base in use take at most, as planned at the\n"
            "# installation. Beyond it they are slowed down, so that the machine is not.",
            [naming("MEMORY", (MEMORY_HIGH,)), f"{MEMORY_HIGH}={placed.memory_high_bytes}"],
        )
    if placed.namespaces:
        found[_drop_in(SERVICE, "30-namespaces")] = namespaces(placed.writable)
    return found


def namespaces(writable: Iterable[Path]) -> str:
    """The drop-in whose directives need PrivateUsers, and with it the kernel's user namespaces."""
    paths = " ".join(quoted(f"-{path}") for path in writable)
    return _drop_in_text(
        "What needs user namespaces; some systems do not let users have them.",
        [*_asked("NAMESPACES", NAMESPACES), f"ReadWritePaths={paths}"],
    )


def escaped(text: str) -> str:
    """`%` begins one of systemd's own words everywhere."""
    return text.replace("%", "%%")


def quoted(text: str) -> str:
    """One word of a unit, see systemd.syntax(7); `$` means something in ExecStart alone."""
    inner = escaped(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{inner}"'


def _heading(name: str) -> list[str]:
    return [MADE, f"# What is yours belongs into a drop-in: `systemctl --user edit {name}`.", ""]


def _asked(named: str, directives: Sequence[Directive]) -> list[str]:
    lines = [
        "# Each of these is tried by the service when it starts: `nightloom service status`.",
        naming(named, (one.name for one in directives)),
    ]
    for one in directives:
        lines += [f"# {one.why}", f"{one.name}={one.value}"]
    return lines


def _drop_in(unit: str, name: str) -> str:
    return f"{unit}.d/{name}.conf"


def _drop_in_text(why: str, lines: Iterable[str], section: str = "Service") -> str:
    return _text([MADE, f"# {why}", f"[{section}]", *lines])


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
