"""The hours of nights: by weekday, over midnight, and when the clock is changed."""

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.conditions.window import Window

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0


def at(text: str, *, fold: int = 0) -> float:
    """A moment on the clocks of Berlin."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("22:00-08:00", "22:00-08:00"),
        (" 1:30 - 5:45 ", "01:30-05:45"),
        (
            "mon-fri 22:00-06:30, sat-sun 23:00-10:00",
            "mon-fri 22:00-06:30, sat-sun 23:00-10:00",
        ),
        ("Mon, Wed 22:00-06:00", "mon wed 22:00-06:00"),
        ("fri-mon 00:00-00:00", "mon fri-sun 00:00-00:00"),
        ("mon-sun 01:00-02:00", "01:00-02:00"),
    ],
)
def test_a_window_is_read_and_shown(text: str, shown: str) -> None:
    assert str(Window.parse(text)) == shown
    assert Window.parse(shown) == Window.parse(text)


@pytest.mark.parametrize(
    "text",
    ["", "22:00", "22:00 to 8", "24:00-08:00", "22:60-08:00", "xyz 22:00-08:00", "mon-fri",
     "mon 22:00-08:00, tue"],
)  # fmt: skip
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"has to|names days"):
        Window.parse(text)


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        # 2026-07-13 is a Monday
        ("22:00-08:00", ("13T22:00", "13T23:59", "14T00:00", "14T07:59"), ("14T08:00", "14T21:59")),
        ("01:00-05:30", ("13T01:00", "13T05:29"), ("13T00:59", "13T05:30", "13T23:00")),
        ("00:00-00:00", ("13T00:00", "13T12:00", "13T23:59"), ()),
        (
            "mon-fri 22:00-06:30, sat-sun 23:00-10:00",
            ("13T22:00", "14T06:29", "17T22:00", "18T06:29", "18T23:00", "19T09:59", "20T09:59"),
            ("13T10:30", "18T06:30", "18T22:30", "19T22:00", "20T10:00", "20T21:59"),
        ),
    ],
)
def test_a_window_holds_the_hours_of_the_days_on_which_it_begins(
    window: str, inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    parsed = Window.parse(window)
    assert all(parsed.at(at(f"2026-07-{moment}"), BERLIN) for moment in inside)
    assert not any(parsed.at(at(f"2026-07-{moment}"), BERLIN) for moment in outside)


def test_the_next_edge_is_the_beginning_or_the_end() -> None:
    window = Window.parse("mon 22:00-06:00")
    assert window.next_edge(at("2026-07-13T12:00"), BERLIN) == at("2026-07-13T22:00")
    assert window.next_edge(at("2026-07-13T22:00"), BERLIN) == at("2026-07-14T06:00")
    assert window.next_edge(at("2026-07-14T06:00"), BERLIN) == at("2026-07-20T22:00")
    following = window.next(at("2026-07-13T23:00"), BERLIN)
    assert following is not None
    assert following.begin == at("2026-07-20T22:00")


@pytest.mark.parametrize(
    ("window", "day", "hours"),
    [
        ("22:00-08:00", "2026-03-28T22:00", 9),  # 02:00 becomes 03:00
        ("22:00-08:00", "2026-10-24T22:00", 11),  # 03:00 becomes 02:00
        ("22:00-02:30", "2026-03-28T22:00", 4.5),  # 02:30 is left out: as long as ever
        ("02:15-02:45", "2026-10-25T02:15", 0.5),  # twice: the first
        ("00:00-00:00", "2026-03-29T00:00", 23),
        ("00:00-00:00", "2026-10-25T00:00", 25),
    ],
)
def test_a_window_is_right_when_the_clock_is_changed(window: str, day: str, hours: float) -> None:
    span = Window.parse(window).at(at(day), BERLIN)
    assert span is not None
    assert span.begin == at(day)
    assert span.end - span.begin == hours * HOUR


def test_the_hour_that_comes_twice_is_in_the_window_once() -> None:
    window = Window.parse("02:15-02:45")
    assert window.at(at("2026-10-25T02:30"), BERLIN) is not None
    assert window.at(at("2026-10-25T02:30", fold=1), BERLIN) is None


WINDOWS = st.sampled_from(
    ["22:00-08:00", "00:00-00:00", "mon-fri 22:00-06:30, sat-sun 23:00-10:00", "02:30-02:15",
     "mon 02:30-03:30, sun 01:00-03:00"]
)  # fmt: skip


@given(WINDOWS, st.floats(1.76e9, 1.83e9))
def test_edges_are_ahead_and_the_window_changes_only_there(text: str, moment: float) -> None:
    window = Window.parse(text)
    edge = window.next_edge(moment, BERLIN)
    assert edge is not None
    assert edge > moment
    middle = moment + (edge - moment) / 2
    assert (window.at(moment, BERLIN) is None) == (window.at(middle, BERLIN) is None)
    span = window.at(moment, BERLIN)
    assert span is None or (span.begin <= moment < span.end and edge <= span.end)
