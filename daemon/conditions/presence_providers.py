"""Who reads on this machine what people do at it: `presence` and `inhibited`. Wires, no more."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from daemon.conditions import inhibited, presence, presence_mac
from daemon.conditions.bus import Bus
from daemon.conditions.looking import Looking, Ring
from daemon.conditions.presence_desktop import Desktop, IdleMonitor, ScreenSaver
from daemon.conditions.presence_looking import Presence
from daemon.conditions.presence_wayland import WaylandIdle
from daemon.conditions.presence_x11 import SOCKETS, X11Idle
from daemon.conditions.providers import connected_soon
from daemon.conditions.reading import Attention, Provider

# Mutter's own, and what was made after it: source, name, object.
IDLE_MONITORS = (
    ("GNOME", "org.gnome.Mutter.IdleMonitor", "/org/gnome/Mutter/IdleMonitor/Core"),
    ("Cinnamon", "org.cinnamon.Muffin.IdleMonitor", "/org/cinnamon/Muffin/IdleMonitor/Core"),
)


def presence_providers(
    *,
    system: Bus,
    session: Bus,
    idle_seconds: float,
    attention: Attention,
    environ: Mapping[str, str],
    platform: str = sys.platform,
) -> tuple[Provider, ...]:
    """Args:
    idle_seconds: without input after which nobody is there.
    environ: of the service; where the desktop's sockets and keys are.
    """
    if platform == "darwin":
        mac = presence_mac.MacPresence(idle_seconds=idle_seconds)
        names = (presence.NAME, inhibited.NAME)
        return (Looking(names, mac.look, attention, every=lambda: presence_mac.EVERY),)
    folder = environ.get("XDG_RUNTIME_DIR")
    runtime = Path(folder) if folder else None
    present = Presence(
        system,
        idle_seconds=idle_seconds,
        desktops=desktops(session, runtime, idle_seconds, environ),
        screens=[SOCKETS, *([runtime] if runtime else [])],
    )
    kept = inhibited.Inhibited(system=system, session=session, own_process=os.getpid())

    async def listen_to_what_is_kept_on(ring: Ring) -> None:
        await kept.listen(ring)
        await connected_soon(session)  # else a film would be seen only at the second look

    return (
        Looking(
            (presence.NAME,),
            present.look,
            attention,
            every=present.every,
            listen=present.listen,
        ),
        Looking(
            (inhibited.NAME,),
            kept.look,
            attention,
            every=lambda: inhibited.EVERY,
            listen=listen_to_what_is_kept_on,
        ),
    )


def desktops(
    session: Bus, runtime: Path | None, idle_seconds: float, environ: Mapping[str, str]
) -> tuple[Desktop, ...]:
    """Every way that is known to ask a desktop, those that tell by themselves first."""
    monitors = (
        IdleMonitor(session, name=name, path=path, source=source, idle_seconds=idle_seconds)
        for source, name, path in IDLE_MONITORS
    )
    authority = environ.get("XAUTHORITY") or str(Path(environ.get("HOME", "/")) / ".Xauthority")
    return (
        *monitors,
        WaylandIdle(runtime, idle_seconds=idle_seconds),
        X11Idle(
            idle_seconds=idle_seconds,
            display="" if environ.get("WAYLAND_DISPLAY") else environ.get("DISPLAY", ""),
            authority=Path(authority),
        ),
        ScreenSaver(session, source="the desktop", idle_seconds=idle_seconds),
    )
