"""A clock that jumps ahead empties nothing, and a machine that was off for weeks is no jump."""

import pytest

from daemon.clock_trust import DAY_SECONDS, MADE_AT, ClockSeen, look_at_clock

NOW = MADE_AT + 400 * DAY_SECONDS
HOUR = 3600.0


def looks(seen: ClockSeen, *steps: tuple[float, float]) -> list[bool]:
    """Whether the clock is believed at each look: (days that it says went by, that did)."""
    at, believed = seen.at, []
    for said, steady in steps:
        at += said * DAY_SECONDS
        look = look_at_clock(seen, at, steady_seconds=steady * DAY_SECONDS)
        seen = look.seen
        believed.append(look.waits is None)
    return believed


def test_a_clock_that_goes_on_is_believed() -> None:
    assert looks(ClockSeen(at=NOW), (0, 0), (1, 1), (1, 1), (0.5, 0)) == [True] * 4


def test_a_sleep_of_weeks_that_the_steady_clock_counts_is_no_jump() -> None:
    assert looks(ClockSeen(at=NOW), (21, 21)) == [True]


def test_a_jump_is_waited_for_a_day_of_steady_going() -> None:
    assert looks(ClockSeen(at=NOW), (3650, 1), (0.5, 0.5), (0.6, 0.6)) == [False, False, True]


def test_a_jump_that_is_put_right_in_time_is_forgotten() -> None:
    assert looks(ClockSeen(at=NOW), (3650, 0), (-3650, 0.1), (1, 1)) == [False, True, True]


def test_the_wait_outlasts_a_restart() -> None:
    assert looks(ClockSeen(at=NOW), (3650, 1), (0.2, 0), (1, 0)) == [False, False, True]


def test_a_second_far_jump_begins_the_wait_anew() -> None:
    assert looks(ClockSeen(at=NOW), (40, 0), (400, 0), (0.5, 0.5)) == [False, False, False]


def test_a_machine_that_runs_once_a_week_is_believed_the_second_time() -> None:
    assert looks(ClockSeen(at=NOW), (7, 0), (7, 0), (7, 0)) == [False, True, False]


@pytest.mark.parametrize("now", [0.0, MADE_AT - 1])
def test_a_clock_from_before_this_was_made_is_not_believed_and_not_remembered(now: float) -> None:
    seen = ClockSeen(at=NOW)
    look = look_at_clock(seen, now, steady_seconds=0)
    assert look.waits is not None
    assert look.seen == seen
    assert looks(look.seen, (0.1, 0)) == [True]


def test_a_clock_that_goes_back_keeps_more_and_is_believed() -> None:
    assert looks(ClockSeen(at=NOW), (-30, 1), (1, 1)) == [True, True]
