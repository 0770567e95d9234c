"""Every second of a window stands in its account, once, as work or with a reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import night_account
from daemon.night_account import (
    WORK,
    Account,
    is_contiguous,
    lost,
    timeline,
    told_of_nights,
)

BEGIN = 1000.0
COUNTS = st.lists(
    st.tuples(st.floats(-500.0, 4000.0), st.sampled_from([WORK, "power", "presence", "asleep"])),
    max_size=40,
)


@given(COUNTS)
def test_every_second_is_accounted_to_work_or_to_a_reason(counts: list[tuple[float, str]]) -> None:
    account, latest, now = Account(begin=BEGIN, end=None), BEGIN, BEGIN
    for seconds, what in counts:
        now += seconds  # the clock may go back, too
        account = account.counted(now, what)
        latest = max(latest, now)
        if what == WORK:
            account = account.of_night(BEGIN, 1)
    assert account.until == latest
    assert is_contiguous(account)
    work = sum(one.seconds for one in account.stretches if one.what == WORK)
    assert work + sum(lost(account.stretches).values()) == pytest.approx(latest - BEGIN)
    assert Account.from_json(json.loads(json.dumps(account.to_json()))) == account


def test_what_changes_too_often_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(night_account, "MOST_STRETCHES", 3)
    account = Account(begin=0.0)
    for second in range(1, 10):
        account = account.counted(float(second), "power" if second % 2 else "presence")
    assert [one.what for one in account.stretches] == ["power", "presence", "power", "various"]
    assert account.until == 9.0


def record(number: int, started_at: float) -> dict[str, object]:
    return {"id": number, "started_at": started_at, "state": "done", "lost": {}}


def test_what_was_lost_before_a_night_belongs_to_it_and_what_came_after_to_the_last() -> None:
    account = Account(begin=0.0, end=100.0).counted(10.0, "presence").counted(30.0, WORK)
    account = account.of_night(10.0, 7).counted(50.0, "power").counted(60.0, WORK)
    account = account.of_night(50.0, 8).counted(100.0, "text")
    chatty = record(8, 50.0) | {"lost": {"chat": 3.0, "presence": 5.0}}  # as the night counted it
    second, first = told_of_nights([chatty, record(7, 10.0)], [account])
    assert first["lost"] == {"presence": 10.0}
    assert second["lost"] == {"text": 40.0, "power": 20.0, "chat": 3.0}
    assert first["timeline"][1] == {"at": 10.0, "what": WORK, "seconds": 20.0}
    assert sum(one["seconds"] for entry in (first, second) for one in entry["timeline"]) == 100.0


def test_a_window_without_a_night_has_a_line_of_its_own() -> None:
    account = Account(begin=200.0, end=300.0).counted(280.0, "power").counted(300.0, "presence")
    told = told_of_nights([record(7, 10.0)], [account])
    assert [entry["id"] for entry in told] == [None, 7]
    assert (told[0]["state"], told[0]["reason"]) == ("waiting", "power")
    assert told[0]["lost"] == {"power": 80.0, "presence": 20.0}
    assert told[1]["timeline"] == []
    assert timeline(account.stretches) == told[0]["timeline"]
