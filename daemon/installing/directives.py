"""What systemd is asked to deny the service, each with the reason; `proving.py` tries them.

A directive stands here because it keeps something off that could happen, never for a score. Left
out on purpose: MemoryDenyWriteExecute (torch makes code), PrivateDevices (hides a GPU), and
IPAddressDeny (does nothing in a user's unit). A unit names what it asks for in a variable, so
that the service knows what to try; every drop-in has a variable of its own.
"""

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass

VARIABLE = "NIGHTLOOM_ASKED_"  # + the name of the unit or drop-in


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """One line of a unit."""

    name: str
    value: str
    why: str


UNIT = (
    Directive(name="NoNewPrivileges", value="yes", why="no program that it starts gains rights"),
    Directive(
        name="RestrictAddressFamilies",
        value="AF_UNIX",
        why="no network, in the service and in all that it starts",
    ),
    Directive(
        name="SystemCallFilter",
        value="@system-service seccomp landlock_create_ruleset landlock_add_rule "
        "landlock_restrict_self",
        why="no tracing, mounting, modules; the children still confine themselves further",
    ),
    Directive(
        name="SystemCallArchitectures",
        value="native",
        why="the 32-bit calls of the same kernel would lead around the two filters above",
    ),
    Directive(name="LockPersonality", value="yes", why="addresses stay random in what it starts"),
    Directive(name="RestrictSUIDSGID", value="yes", why="no file of its gives rights to others"),
    Directive(name="LimitCORE", value="0", why="text and keys never go into a core dump"),
    Directive(name="UMask", value="0077", why="what it writes is the user's alone"),
    Directive(name="MemorySwapMax", value="0", why="text and keys never go to the swap"),
)
MEMORY_HIGH = "MemoryHigh"
NAMESPACES = (
    Directive(name="PrivateUsers", value="yes", why="the other directives of this file need it"),
    Directive(name="PrivateNetwork", value="yes", why="no network devices; a loopback of its own"),
    Directive(name="PrivateTmp", value="yes", why="nobody meets it in a shared folder"),
    Directive(name="ProtectSystem", value="strict", why="it changes nothing of the system"),
    Directive(name="ProtectHome", value="read-only", why="at home it writes in its own folders"),
)
# Those without a line of their own in `proving.PROBES`, and what they belong to.
BESIDE = {"SystemCallErrorNumber": "SystemCallFilter", "ReadWritePaths": "ProtectHome"}


def naming(drop_in: str, names: Iterable[str]) -> str:
    """The line of a unit that tells the service what it asked for."""
    return f'Environment="{VARIABLE}{drop_in}={" ".join(names)}"'


def take_asked(environ: MutableMapping[str, str]) -> tuple[str, ...]:
    """The directives that units named, in their order; removes the variables."""
    return tuple(
        name
        for variable in sorted(name for name in environ if name.startswith(VARIABLE))
        for name in environ.pop(variable).split()
    )
