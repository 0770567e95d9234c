"""Whether somebody is there: what each place tells, put together; and logins as logind tells
them."""

from typing import Any

import pytest

from daemon.conditions.presence import Sighting, by_time, reading_of
from daemon.conditions.presence_looking import CLOSE_SECONDS, FAR_SECONDS, LONGEST_SECONDS, every
from daemon.conditions.presence_sessions import Session, session_of, sightings
from tests.daemon.conditions.seeing import MINUTE, NOW

IDLE = 15 * MINUTE
HERE = Sighting(source="GNOME", away=False)
GONE = Sighting(source="a terminal", away=True, last_input=NOW - 20 * MINUTE)
SILENT = Sighting(source="Wayland", away=None)


@pytest.mark.parametrize(
    ("places", "holds", "reason"),
    [
        ([], True, ""),
        ([GONE], True, ""),
        ([GONE, GONE], True, ""),
        ([GONE, HERE], False, "user_present"),
        ([GONE, SILENT], None, "presence_unknown"),
        ([SILENT, HERE], False, "user_present"),
    ],
)
def test_nobody_is_there_if_nobody_is_anywhere(
    places: list[Sighting], holds: bool | None, reason: str
) -> None:
    reading = reading_of(places, IDLE)
    assert (reading.name, reading.holds, reading.reason) == ("presence", holds, reason)
    assert reading.threshold == "no input for 15 minutes"
    assert bool(reading.advice) is not holds


def test_the_value_says_where_and_since_when() -> None:
    assert reading_of([], IDLE).value == "nobody is logged in"
    assert reading_of([HERE, HERE, GONE], IDLE).value == "in use (GNOME)"
    assert reading_of([SILENT], IDLE).value == "does not say (Wayland)"
    assert reading_of([GONE], IDLE).value.startswith("no input since ")


@pytest.mark.parametrize(
    ("minutes_ago", "away", "in_minutes"),
    [(0, False, 15), (14, False, 1), (15, True, None), (600, True, None), (-60, False, 15)],
)
def test_time_alone_makes_nobody_there(
    minutes_ago: float, away: bool, in_minutes: float | None
) -> None:
    seen = by_time("a terminal", NOW - minutes_ago * MINUTE, now=NOW, idle_seconds=IDLE)
    assert seen.away is away
    assert seen.away_at == (None if in_minutes is None else NOW + in_minutes * MINUTE)


# --------------------------------------------------------------------------- logins


def login(**changes: Any) -> Session:
    return Session(
        **{
            "path": "/s/1",
            "user": 1000,
            "kind": "wayland",
            "active": True,
            "idle": False,
            "since": 0.0,
            "locked": False,
            **changes,
        }
    )


LONG_AGO = NOW - 20 * MINUTE
JUST_NOW = NOW - MINUTE


@pytest.mark.parametrize(
    ("session", "locked_since", "away"),
    [
        pytest.param(login(), None, False, id="a desktop in use"),
        pytest.param(login(idle=True, since=LONG_AGO), None, True, id="a desktop long idle"),
        pytest.param(login(idle=True, since=JUST_NOW), None, False, id="a desktop just idle"),
        pytest.param(login(idle=True), None, False, id="idle, and does not say since when"),
        pytest.param(login(locked=True), LONG_AGO, True, id="locked long ago"),
        pytest.param(login(locked=True), JUST_NOW, False, id="just locked"),
        pytest.param(
            login(locked=True, idle=True, since=LONG_AGO), JUST_NOW, True, id="idle, then locked"
        ),
        pytest.param(login(kind="tty", since=LONG_AGO), None, True, id="a terminal long idle"),
        pytest.param(login(kind="tty", since=JUST_NOW), None, False, id="a terminal in use"),
        pytest.param(login(active=False), None, "none", id="a desktop behind another"),
        pytest.param(login(kind="unspecified"), None, "none", id="a copy over ssh"),
        pytest.param(login(user=7), None, "none", id="its own desktop tells better"),
        pytest.param(login(user=7, kind="tty", since=JUST_NOW), None, False, id="not of ttys"),
    ],
)
def test_each_login_counts_as_it_should(
    session: Session, locked_since: float | None, away: bool | str
) -> None:
    found = sightings(
        [session],
        now=NOW,
        idle_seconds=IDLE,
        locked_since={} if locked_since is None else {session.path: locked_since},
        last_at_a_terminal=None,
        told_by_its_desktop=7,
    )
    assert [one.away for one in found] == ([] if away == "none" else [away])


@pytest.mark.parametrize(("last", "away"), [(None, None), (JUST_NOW, False), (LONG_AGO, True)])
def test_a_login_of_which_logind_knows_no_input_is_told_by_the_terminals(
    last: float | None, away: bool | None
) -> None:
    (found,) = sightings(
        [login(kind="tty")],
        now=NOW,
        idle_seconds=IDLE,
        locked_since={},
        last_at_a_terminal=last,
        told_by_its_desktop=None,
    )
    assert found.away is away


@pytest.mark.parametrize("changes", [{"Class": "greeter"}, {"Class": "manager"},
                                     {"Class": "background"}, {"State": "closing"}])  # fmt: skip
def test_services_and_logins_that_end_are_nobody(changes: dict[str, Any]) -> None:
    said = {"Class": "user", "State": "active", "User": [1000, "/u"], "Type": "x11"}
    assert session_of("/s/1", said) is not None
    assert session_of("/s/1", {**said, **changes}) is None


# --------------------------------------------------------------------------- when to look again


def test_what_tells_by_itself_is_not_asked_again_and_again() -> None:
    found = every([HERE, GONE], NOW)
    assert found.far_seconds == LONGEST_SECONDS
    assert found.close_seconds == FAR_SECONDS  # in a night, for an event that was lost


def test_a_terminal_is_asked_closely_while_a_night_works() -> None:
    polled = by_time("a terminal", LONG_AGO, now=NOW, idle_seconds=IDLE, polled=True)
    found = every([polled], NOW)
    assert (found.close_seconds, found.far_seconds) == (CLOSE_SECONDS, FAR_SECONDS)


def test_it_is_looked_at_when_the_time_will_have_passed_everywhere() -> None:
    ends = [by_time("x", NOW - m * MINUTE, now=NOW, idle_seconds=IDLE) for m in (3, 10)]
    assert every(ends, NOW).far_seconds == 12 * MINUTE
