"""A night as the ledger keeps it: its states, its figures, and the plan that it resumes from."""

import json
import math
from dataclasses import replace
from itertools import product

import pytest

from daemon.night_planning import NightPlan
from daemon.night_record import (
    ENDED,
    UNFINISHED,
    NightState,
    Record,
    WrongTransition,
    abandoned,
    begin,
    moved,
    planned,
    same_rows,
    shown,
    still_valid,
    with_measured,
    with_plan,
)
from storage.records import Measured

W, PR, T, Y, J, PU, D, R, F = NightState
ALLOWED = {
    (W, PR),
    (PR, T), (PR, W), (PR, Y), (PR, F),
    (T, J), (T, Y), (T, F), (T, PR),
    (Y, PR), (Y, T), (Y, J), (Y, F),
    (J, PU), (J, R), (J, F), (J, PR), (J, Y),
    (PU, D), (PU, F), (PU, PR),
}  # fmt: skip
PLAN = NightPlan(
    train=(1, 2, 3), replay=(4,), held_out=(5, 6), stable=(7, 8), newly_stable=(8,), seed=9
)
MEASURED = Measured(
    held_out_loss_before=3.0, held_out_loss_after=2.5, held_out_gain_low=0.1,
    held_out_gain_high=0.2, stable_loss_before=None, stable_loss_after=None,
    general_loss_base=2.0, general_loss_before=2.0, general_loss_after=2.01,
    canaries_planted=8, canaries_extracted=0,
)  # fmt: skip
PUBLIC_KEYS = {  # DESIGN, section 10
    "started_at", "state", "documents", "tokens", "tokens_per_second", "steps",
    "held_out_loss_before", "held_out_loss_after", "general_loss_before", "general_loss_after",
    "verdict", "reason", "adapter", "seconds", "lost",
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), list(product(NightState, NightState)))
def test_every_transition(before: NightState, after: NightState) -> None:
    record = {"state": before.value, "tokens": 7}
    if (before, after) in ALLOWED:
        assert moved(record, after) == {"state": after.value, "tokens": 7}
    else:
        with pytest.raises(WrongTransition, match=f"{before.value} -> {after.value}"):
            moved(record, after)
    assert record["state"] == before.value


def test_every_state_has_ended_or_has_not() -> None:
    assert set(NightState) == ENDED | UNFINISHED
    assert not ENDED & UNFINISHED


def test_an_end_is_an_end_and_every_working_state_can_fail() -> None:
    assert not {before for before, _ in ALLOWED} & {D, R, F}
    assert {before for before, after in ALLOWED if after is F} == set(UNFINISHED)


def test_a_new_night_has_every_public_key_at_once() -> None:
    record = begin(started_at=5.0, base="base-1", parent=None)
    assert set(shown(record)) >= PUBLIC_KEYS
    assert record["state"] == "preparing"


def test_a_plan_comes_back_from_the_ledger_as_it_was() -> None:
    record = with_plan(begin(started_at=5.0, base="b", parent="p"), PLAN, {"passes": 3})
    kept = json.loads(json.dumps(record))
    assert planned(kept) == PLAN
    assert kept["plan"]["recipe"] == {"passes": 3}
    assert kept["documents"] == 3


def test_a_plan_with_every_role_comes_back_as_it_was() -> None:
    plan = replace(PLAN, reading=(10, 11), fresh=((2, 400, 900), (10, 0, 7)))
    record = with_plan(begin(started_at=5.0, base="b", parent="p"), plan, {})
    kept = json.loads(json.dumps(record))
    assert planned(kept) == plan
    assert kept["documents"] == 5
    assert same_rows(kept)


def test_a_plan_from_before_there_were_such_roles_still_opens() -> None:
    """Its checkpoint was made with rows that are made no more."""
    kept = {
        "plan": {
            "roles": {
                "train": [1, 2, 3], "replay": [4], "held_out": [5, 6], "stable": [7, 8],
                "newly_stable": [8], "seed": 9,
            },
            "recipe": {},
        }
    }  # fmt: skip
    assert planned(kept) == PLAN
    assert not same_rows(kept)


def test_a_night_without_a_plan_has_none() -> None:
    assert planned(begin(started_at=5.0, base="b", parent=None)) is None
    assert planned({}) is None


def interrupted() -> Record:
    night = with_plan(begin(started_at=7.0, base="b" * 64, parent="p" * 64), PLAN, {"passes": 2})
    restored: Record = json.loads(json.dumps(moved(night, T)))
    return restored


AS_IT_WAS: Record = {
    "base": "b" * 64, "parent": "p" * 64, "recipe": {"passes": 2}, "present": PLAN.all_ids | {99},
}  # fmt: skip


def test_an_interrupted_night_goes_on_with_its_plan_where_all_is_as_it_was() -> None:
    assert still_valid(interrupted(), **AS_IT_WAS) == PLAN


@pytest.mark.parametrize(
    "changed",
    [
        {"base": "c" * 64},
        {"parent": None},
        {"recipe": {"passes": 3}},
        {"present": PLAN.all_ids - {4}},
    ],
)
def test_an_interrupted_night_does_not_go_on_where_something_changed(changed: Record) -> None:
    assert still_valid(interrupted(), **AS_IT_WAS | changed) is None


def test_a_night_that_had_no_plan_yet_does_not_go_on() -> None:
    night = begin(started_at=7.0, base="b" * 64, parent="p" * 64)
    assert still_valid(night, **AS_IT_WAS) is None


def test_an_abandoned_night_has_failed_and_says_why() -> None:
    night = abandoned(interrupted())
    assert (night["state"], night["reason"]) == ("failed", "abandoned")
    assert "a new night began" in night["sentence"]


def test_the_log_does_not_show_the_plan() -> None:
    record = with_plan(begin(started_at=5.0, base="b", parent=None), PLAN, {})
    assert "plan" not in shown(record)
    assert "plan" in record


def test_figures_of_the_gate_are_kept_with_perplexities() -> None:
    record = with_measured(begin(started_at=5.0, base="b", parent=None), MEASURED)
    assert record["held_out_loss_before"] == 3.0
    assert record["held_out_perplexity_after"] == pytest.approx(math.exp(2.5))
    assert (record["held_out_gain_low"], record["held_out_gain_high"]) == (0.1, 0.2)
    assert record["general_loss_after"] == 2.01


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_figures_that_are_no_numbers_become_null_so_that_json_stays_json(broken: float) -> None:
    measured = replace(
        MEASURED, held_out_loss_after=broken, held_out_gain_low=broken, general_loss_after=broken
    )
    record = with_measured(begin(started_at=5.0, base="b", parent=None), measured)
    for name in ("held_out_loss_after", "held_out_gain_low", "general_loss_after"):
        assert record[name] is None
    json.dumps(record, allow_nan=False)


def test_a_huge_loss_has_no_perplexity() -> None:
    measured = replace(MEASURED, held_out_loss_after=1000.0)
    record = with_measured(begin(started_at=5.0, base="b", parent=None), measured)
    assert record["held_out_perplexity_after"] is None
    assert record["held_out_loss_after"] == 1000.0
