"""The condition `inhibited`: a film, a call or a talk keeps the screen on, which counts as
presence.

Asked on the system bus: logind. On the session bus: GNOME's session manager, KDE's policy agent,
and the older interface that Xfce and LXQt have. All of them tell by a signal when to ask again.
What keeps the screen on is never named: its name or its reason may be the title of what is played.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.conditions.bus import Bus, BusGone, BusRefused, Signal
from daemon.conditions.looking import Every, Ring
from daemon.conditions.presence_sessions import LOGIND, LOGIND_PATH, MANAGER, PROPERTIES
from daemon.conditions.reading import Reading

NAME = "inhibited"
THRESHOLD = "nothing keeps the screen on"
IDLE = "idle"  # what is inhibited, in logind's words
OURS = "nightloom"  # as `sleeping.py` names us where it asks for something
KDE = "org.kde.Solid.PowerManagement.PolicyAgent"
POWER = "org.freedesktop.PowerManagement"
POWER_PATH = "/org/freedesktop/PowerManagement/Inhibit"
POWER_INHIBIT = "org.freedesktop.PowerManagement.Inhibit"
POWER_LIST = "GetInhibitors"  # the names of who inhibits; Xfce has it
GNOME_IDLE = 8  # a flag of GNOME's session manager
KDE_SCREEN = 4  # PowerDevil's ChangeScreenSettings
EVERY = Every(close_seconds=10.0, far_seconds=300.0)  # all of them tell; for what was missed


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who keeps a list of what keeps the screen on, and how it is asked.

    Args:
        unless: a name; whoever has it knows better, so that this one is not asked.
        names: a method that lists who inhibits, so that we can leave ourselves out.
    """

    source: str
    name: str
    path: str
    interface: str
    member: str
    signature: str
    body: tuple[Any, ...]
    signals: tuple[tuple[str, str], ...]  # interface, member
    unless: str = ""
    names: str = ""


ON_THE_SESSION_BUS = (
    Asked(
        source="GNOME",
        name="org.gnome.SessionManager",
        path="/org/gnome/SessionManager",
        interface="org.gnome.SessionManager",
        member="IsInhibited",
        signature="u",
        body=(GNOME_IDLE,),
        signals=(
            ("org.gnome.SessionManager", "InhibitorAdded"),
            ("org.gnome.SessionManager", "InhibitorRemoved"),
        ),
    ),
    Asked(
        source="KDE",
        name=KDE,
        path="/org/kde/Solid/PowerManagement/PolicyAgent",
        interface=KDE,
        member="HasInhibition",
        signature="u",
        body=(KDE_SCREEN,),
        signals=((KDE, "InhibitionsChanged"),),
    ),
    Asked(
        source="the desktop",
        name=POWER,
        path=POWER_PATH,
        interface=POWER_INHIBIT,
        member="HasInhibit",
        signature="",
        body=(),
        signals=((POWER_INHIBIT, "HasInhibitChanged"),),
        # KDE's answers whether anything blocks sleep, which a night that works does itself.
        unless=KDE,
        names=POWER_LIST,
    ),
)


def keeps_awake(inhibitors: Sequence[Sequence[Any]], own_process: int) -> bool:
    """Whether one of logind's inhibitors (what, who, why, mode, user, process) blocks idleness."""
    return any(
        IDLE in str(what).split(":") and str(mode).startswith("block") and process != own_process
        for what, _, _, mode, _, process in inhibitors
    )


def reading_of(kept_by: Sequence[str], silent: Sequence[str]) -> Reading:
    """Args:
    kept_by: who knows of something that keeps the screen on.
    silent: who is there, was asked, and did not answer.
    """
    if kept_by:
        return Reading(
            name=NAME,
            holds=False,
            value=f"something keeps the screen on (told by {', '.join(kept_by)})",
            threshold=THRESHOLD,
            reason="inhibited",
            advice="end the film, the call or the presentation (systemd-inhibit --list)",
        )
    if silent:
        return Reading(
            name=NAME,
            holds=None,
            value=f"no answer from {', '.join(silent)}",
            threshold=THRESHOLD,
            reason="inhibited_unknown",
            advice="log in anew, or see whether the service named there runs",
        )
    return Reading(name=NAME, holds=True, value="nothing", threshold=THRESHOLD)


class Inhibited:
    """Args: own_process: whose inhibitors do not count."""

    def __init__(self, *, system: Bus, session: Bus, own_process: int) -> None:
        self._system = system
        self._session = session
        self._own_process = own_process
        self._there: set[str] = set()
        self._logind_was_there = False

    async def listen(self, ring: Ring) -> None:
        """Once, before the first look."""

        def heard(_: Signal) -> None:
            ring()

        def heard_of_a_property(signal: Signal) -> None:
            if "BlockInhibited" in signal.body[1] or "BlockInhibited" in signal.body[2]:
                ring()

        self._system.on_change(lambda _: ring())
        await self._system.subscribe(
            PROPERTIES, "PropertiesChanged", heard_of_a_property, path=LOGIND_PATH, sender=LOGIND
        )
        await self._system.watch_owner(LOGIND, lambda _: ring())
        for asked in ON_THE_SESSION_BUS:
            for interface, member in asked.signals:
                await self._session.subscribe(interface, member, heard, sender=asked.name)
            await self._session.watch_owner(asked.name, self._owned(asked.name, ring))

    async def look(self) -> tuple[Reading, ...]:
        kept_by, silent = [], []
        answers = {"logind": await self._logind()}
        for asked in ON_THE_SESSION_BUS:
            if asked.name in self._there and asked.unless not in self._there:
                answers[asked.source] = await self._of(asked)
        for source, answer in answers.items():
            if answer is None:
                silent.append(source)
            elif answer:
                kept_by.append(source)
        return (reading_of(kept_by, silent),)

    async def _logind(self) -> bool | None:
        if self._system.absent:
            return False
        try:
            if not self._logind_was_there and not await self._system.owned(LOGIND):
                return False
            self._logind_was_there = True
            (listed,) = await self._system.call(LOGIND, LOGIND_PATH, MANAGER, "ListInhibitors")
        except (BusGone, BusRefused):
            return None
        return keeps_awake(listed, self._own_process)

    async def _of(self, asked: Asked) -> bool | None:
        try:
            (answer,) = await self._session.call(
                asked.name, asked.path, asked.interface, asked.member, asked.signature, *asked.body
            )
        except BusRefused:  # it has no such method: it does not know
            return False
        except BusGone:
            return None
        return bool(answer) and not (asked.names and await self._only_ours(asked))

    async def _only_ours(self, asked: Asked) -> bool:
        """Whether nobody inhibits but a night that works, which keeps the machine awake."""
        try:
            (names,) = await self._session.call(
                asked.name, asked.path, asked.interface, asked.names
            )
        except (BusGone, BusRefused):  # it cannot say; then we ask nothing of it either
            return False
        return set(names) == {OURS}

    def _owned(self, name: str, ring: Ring) -> Callable[[bool], None]:
        def told(there: bool) -> None:
            if there:
                self._there.add(name)
            else:
                self._there.discard(name)
            ring()

        return told
