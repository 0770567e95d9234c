"""Unknown is a no; what begins to hold is believed after a while; a word overrides some of it."""

import pytest

from daemon.conditions.board import Board
from daemon.conditions.decision import FIRST, Asked, Decision, Policy, decide
from daemon.conditions.reading import NAMES, Reading
from daemon.night_reasons import NAMES as OWN_NAMES

POLICY = Policy(settle_seconds={"power": 120.0}, go_on_seconds=30.0)


class Table:
    """A board whose time goes on when the test says so."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.changes = 0
        self.board = Board(NAMES, clock=lambda: self.time + 1e9, steady=lambda: self.time)
        self.board.on_change(self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def tell(self, name: str, holds: bool | None, value: str = "", reason: str = "") -> None:
        reason = reason or ("" if holds else "no")
        self.board.tell(Reading(name=name, holds=holds, value=value, threshold="", reason=reason))

    def all_hold(self) -> None:
        for name in NAMES:
            self.tell(name, True)

    def decide(self, asked: Asked | None = None, *, held: bool = False) -> Decision:
        return decide(
            self.board.standings, POLICY, steady=self.time, asked=asked, runs=held, held=held
        )


@pytest.fixture
def table() -> Table:
    return Table()


def test_what_nobody_told_is_a_no(table: Table) -> None:
    assert not table.decide().would_work
    assert len(table.board.unread) == len(NAMES)
    table.all_hold()
    assert not table.board.unread
    assert table.decide().would_work
    table.tell("temperature", None)
    decision = table.decide()
    assert not decision.would_work
    assert decision.first is not None
    assert decision.first.name == "temperature"


def test_what_held_at_the_first_look_need_not_prove_itself(table: Table) -> None:
    table.tell("power", None)  # the bus is not connected yet
    table.all_hold()
    assert table.decide(held=True).would_work
    table.tell("power", None)
    table.tell("power", True)
    assert not table.decide().would_work


def test_a_pulled_plug_counts_at_once_and_a_plug_put_in_after_two_minutes(table: Table) -> None:
    table.all_hold()
    table.tell("power", False, "on battery", "on_battery")
    assert not table.decide().would_work
    table.tell("power", True)
    decision = table.decide()
    assert (decision.would_work, decision.look_again_in) == (False, 120.0)
    assert decision.first is not None
    assert (decision.first.holds, decision.first.reason) == (False, "settling")
    table.time += 60.0
    table.tell("power", False, "on battery", "on_battery")  # the plug is loose
    table.tell("power", True)
    table.time += 119.0
    assert table.decide().look_again_in == pytest.approx(1.0)
    table.time += 1.0
    assert table.decide().would_work


def test_a_night_that_was_held_goes_on_after_half_a_minute(table: Table) -> None:
    table.all_hold()
    table.tell("memory", False)
    table.tell("memory", True)
    assert table.decide().look_again_in == 30.0  # it may have been let go meanwhile
    assert table.decide(held=True).look_again_in == 30.0
    table.time += 30.0
    assert table.decide(held=True).would_work


def test_since_when_is_kept_while_only_the_value_changes(table: Table) -> None:
    table.tell("temperature", True, "60 °C")
    since = table.board.standings[NAMES.index("temperature")].since
    changes = table.changes
    table.time += 50.0
    table.tell("temperature", True, "64 °C")
    standing = table.board.standings[NAMES.index("temperature")]
    assert (standing.since, standing.reading.value) == (since, "64 °C")
    assert table.changes == changes
    table.tell("temperature", False, "90 °C")
    assert table.changes == changes + 1
    assert table.board.standings[NAMES.index("temperature")].since == since + 50.0


def test_after_a_sleep_what_holds_has_to_prove_itself(table: Table) -> None:
    table.all_hold()
    table.board.unsettle()
    assert table.decide().look_again_in == 120.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("asked", [Asked(now=True), Asked(now=True, on_battery=True)])
def test_a_word_overrides_presence_and_window_and_never_heat_or_room(
    table: Table, name: str, asked: Asked
) -> None:
    table.all_hold()
    table.tell(name, False)
    overridden = {"presence", "inhibited", "window"}
    if asked.on_battery:
        overridden |= {"power", "battery", "low_power"}
    decision = table.decide(asked)
    assert decision.would_work == (name in overridden)
    (condition,) = (one for one in decision.conditions if one.name == name)
    assert (condition.holds, condition.overridden) == (False, name in overridden)


def test_a_person_who_asks_is_not_kept_waiting_for_the_plug(table: Table) -> None:
    table.all_hold()
    table.tell("power", False)
    table.tell("power", True)
    assert table.decide(Asked(now=True)).would_work
    assert not table.decide(Asked(now=True), held=True).would_work


def test_what_has_to_change_first_is_what_only_a_person_can_do(table: Table) -> None:
    table.all_hold()
    for name in ("presence", "power", "temperature"):
        table.tell(name, False)
    first = table.decide().first
    assert first is not None
    assert first.name == "power"
    table.board.tell(Reading(name="paused", holds=False, value="", threshold="", reason="paused"))
    first = table.decide().first
    assert first is not None
    assert first.name == "paused"


def test_every_condition_has_its_place_in_what_comes_first() -> None:
    assert {*NAMES, *OWN_NAMES} <= set(FIRST)
