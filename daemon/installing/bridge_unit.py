"""The text of an example: a user unit for `nightloom bridge`, which nothing installs or starts.

Pure. Whoever wants the bridge with every session copies it and says so.
"""

from pathlib import Path

from daemon.installing.systemd_units import NO_RESTART, SERVICE, quoted

BRIDGE = "nightloom-bridge.service"
PORT = 8484

# What it asks of systemd, each with its reason. It opens its port and then denies itself every
# socket to the network (daemon/confinement.py); this holds before that, and in whatever follows.
DIRECTIVES = (
    ("NoNewPrivileges", "yes", "no program that it starts gains rights"),
    ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6", "the socket and its port, no others"),
    ("SystemCallFilter", "@system-service seccomp", "no tracing, mounting, modules"),
    ("SystemCallErrorNumber", "EPERM", "what is refused fails, and is not killed"),
    ("SystemCallArchitectures", "native", "no way around it by 32-bit calls"),
    ("MemoryDenyWriteExecute", "yes", "no new code while it runs"),
    ("LockPersonality", "yes", "addresses stay random"),
    ("RestrictSUIDSGID", "yes", "no file of its gives rights to others"),
    ("LimitCORE", "0", "text and the token never go into a core dump"),
    ("UMask", "0077", "what it writes is the user's alone"),
    ("MemorySwapMax", "0", "text and the token never go to the swap"),
)


def bridge_unit(command: Path, *, port: int = PORT) -> str:
    """For the `nightloom` at `command`. A home that is not the usual one needs a drop-in."""
    lines = [
        "# An example: nothing installs or starts it. To have the bridge with every session, copy",
        f"# it to ~/.config/systemd/user and say `systemctl --user enable --now {BRIDGE}`.",
        "# With a NIGHTLOOM_HOME, `systemctl --user edit` it: Environment=NIGHTLOOM_HOME=...",
        "",
        "[Unit]",
        "Description=nightloom's bridge to a loopback TCP port",
        "Documentation=man:nightloom(1)",
        f"After={SERVICE}",
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={quoted(str(command))} bridge --port {port}",
        "Restart=on-failure",
        "RestartSec=10",
        f"RestartPreventExitStatus={' '.join(map(str, NO_RESTART))}",
        "",
    ]
    for name, value, why in DIRECTIVES:
        lines += [f"# {why}", f"{name}={value}"]
    return "\n".join([*lines, "", "[Install]", "WantedBy=default.target"]) + "\n"
