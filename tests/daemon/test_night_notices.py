"""Which end of a night is told on the desktop, and that nothing of the user's is in it."""

import asyncio
from dataclasses import replace

import pytest

from daemon.conditions.board import Board
from daemon.desktop_notice import Notice
from daemon.night_notices import NightNotices
from daemon.night_reasons import failing_reading
from daemon.night_retries import Retry


class Desktop:
    def __init__(self) -> None:
        self.shown: list[Notice] = []

    async def show(self, notice: Notice) -> bool:
        self.shown.append(notice)
        return True


def board() -> Board:
    return Board(("failing",), clock=lambda: 0.0, steady=lambda: 0.0)


async def rest() -> None:
    """Until what was begun is done."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others)


@pytest.mark.parametrize(
    ("state", "titles"),
    [
        ("done", ["nightloom has learned"]),
        ("refused", ["nightloom kept what it had"]),
        ("failed", []),
        ("waiting", []),
        ("yielding", []),
    ],
)
async def test_a_result_is_told_and_nothing_else(state: str, titles: list[str]) -> None:
    desktop = Desktop()
    entry = {"state": state, "tokens": 4321, "sentence": "a secret"}

    NightNotices(desktop, board()).ended(entry)
    await rest()

    assert [notice.title for notice in desktop.shown] == titles
    assert "secret" not in repr(desktop.shown)


async def test_a_night_that_broke_tells_nothing() -> None:
    desktop = Desktop()

    NightNotices(desktop, board()).ended(None)
    await rest()

    assert desktop.shown == []


async def test_that_nights_are_given_up_is_told_once_for_each_time() -> None:
    desktop, conditions = Desktop(), board()
    conditions.on_change(NightNotices(desktop, conditions).looked)

    given_up = failing_reading(Retry(failures=3, again_at=None, reason="after_failure"))
    for reading in (given_up, replace(given_up, value="4 failed"), failing_reading(Retry())):
        conditions.tell(reading)
    await rest()
    assert [notice.title for notice in desktop.shown] == ["nightloom has stopped its nights"]

    conditions.tell(given_up)
    await rest()
    assert len(desktop.shown) == 2
