"""A film or a call keeps the screen on: told by logind, and by the desktop."""

import pytest

from daemon.conditions.bus import Bus
from daemon.conditions.inhibited import ON_THE_SESSION_BUS, Asked, Inhibited, keeps_awake
from daemon.conditions.presence_sessions import LOGIND_PATH, MANAGER
from daemon.conditions.reading import Reading
from tests.daemon.conditions.seeing import Bell, connected
from tests.private_bus import PrivateBus

OWN = 4242


@pytest.mark.parametrize(
    ("what", "mode", "process", "keeps"),
    [
        ("idle", "block", 1, True),
        ("shutdown:idle:sleep", "block", 1, True),
        ("idle", "block-weak", 1, True),
        ("idle", "delay", 1, False),
        ("sleep", "block", 1, False),
        ("handle-lid-switch", "block", 1, False),
        ("idle", "block", OWN, False),
    ],
)
def test_only_what_blocks_idleness_counts(what: str, mode: str, process: int, keeps: bool) -> None:
    inhibitor = (what, "Player", "Playing a film with a title", mode, 1000, process)
    assert keeps_awake([inhibitor], OWN) is keeps
    assert not keeps_awake([], OWN)


async def told(inhibited: Inhibited, bell: Bell, holds: bool | None) -> Reading:
    while True:
        (reading,) = await inhibited.look()
        if reading.holds is holds:
            return reading
        await bell.rung()


async def test_a_film_is_told_by_logind_and_never_named(private_bus: PrivateBus) -> None:
    logind = private_bus.mock("logind")
    logind.add_properties(MANAGER, {"BlockInhibited": ("s", "")})
    bell = Bell()
    async with connected(private_bus.address) as bus, connected(private_bus.address) as session:
        inhibited = Inhibited(system=bus, session=session, own_process=OWN)
        await inhibited.listen(bell.ring)
        assert (await told(inhibited, bell, True)).value == "nothing"

        film = ("idle", "Player", "Playing The Film", "block", 1000, 77)
        logind.add_method("ListInhibitors", "", "a(ssssuu)", f"ret = [{film}]", interface=MANAGER)
        logind.update(MANAGER, {"BlockInhibited": ("s", "idle")}, path=LOGIND_PATH)
        reading = await told(inhibited, bell, False)
        assert reading.reason == "inhibited"
        assert "Player" not in str(reading)
        assert "Film" not in str(reading)

        logind.add_method("ListInhibitors", "", "a(ssssuu)", "ret = []", interface=MANAGER)
        logind.update(MANAGER, {"BlockInhibited": ("s", "")})
        await told(inhibited, bell, True)

        private_bus.stop()
        assert (await told(inhibited, bell, None)).reason == "inhibited_unknown"


@pytest.mark.parametrize("asked", ON_THE_SESSION_BUS, ids=lambda asked: asked.source)
async def test_a_call_is_told_by_the_desktop(private_bus: PrivateBus, asked: Asked) -> None:
    bell = Bell()
    async with connected(private_bus.address) as session:
        inhibited = Inhibited(system=Bus(""), session=session, own_process=OWN)
        await inhibited.listen(bell.ring)
        await told(inhibited, bell, True)
        desktop = private_bus.mock_of(asked.name, asked.path, asked.interface)
        for calling in (True, False):
            expects = "" if not asked.body else f"and args[0] == {asked.body[0]}"
            desktop.add_method(asked.member, asked.signature, "b", f"ret = {calling} {expects}")
            interface, member = asked.signals[0]
            desktop.emit(interface, member)
            reading = await told(inhibited, bell, not calling)
            assert (asked.source in reading.value) is calling
        desktop.close()
        await told(inhibited, bell, True)


async def test_kde_is_not_asked_what_a_night_itself_keeps_from_sleep(
    private_bus: PrivateBus,
) -> None:
    _, kde, older = ON_THE_SESSION_BUS
    bell = Bell()
    async with connected(private_bus.address) as session:
        inhibited = Inhibited(system=Bus(""), session=session, own_process=OWN)
        await inhibited.listen(bell.ring)
        sleep = private_bus.mock_of(older.name, older.path, older.interface)
        sleep.add_method(older.member, "", "b", "ret = True")
        sleep.emit(*older.signals[0])
        assert "the desktop" in (await told(inhibited, bell, False)).value
        desktop = private_bus.mock_of(kde.name, kde.path, kde.interface)
        desktop.add_method(kde.member, "u", "b", "ret = False")
        await told(inhibited, bell, True)


async def test_a_machine_without_any_bus_has_nothing_that_keeps_a_screen_on() -> None:
    inhibited = Inhibited(system=Bus(""), session=Bus(""), own_process=OWN)
    (reading,) = await inhibited.look()
    assert reading.holds is True
