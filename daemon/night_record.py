"""A night as it is kept in the ledger: a plain JSON object, sealed there, shown by `night log`.

The public keys are stable (DESIGN, section 10); what stands under `plan` is for resuming only and
is not shown. Pure: values in, values out.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import Any

from daemon.night_planning import NightPlan
from storage.records import Measured
from trainer.memory_plan import TrainingPlan

Record = dict[str, Any]

ROWS = 2  # how texts become rows; a checkpoint fits those alone that it was made with


class NightState(StrEnum):
    WAITING = "waiting"
    PREPARING = "preparing"
    TRAINING = "training"
    YIELDING = "yielding"
    JUDGING = "judging"
    PUBLISHING = "publishing"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


UNFINISHED = frozenset(
    {
        NightState.PREPARING,
        NightState.TRAINING,
        NightState.YIELDING,
        NightState.JUDGING,
        NightState.PUBLISHING,
    }
)
ENDED = frozenset({NightState.WAITING, NightState.DONE, NightState.REFUSED, NightState.FAILED})

# From each state, the states that may come next. `failed` can come from any that works; a night
# that is taken up again after a kill starts over at `preparing`, and one that was held in memory
# goes on with what it was at.
TRANSITIONS: Mapping[NightState, frozenset[NightState]] = {
    NightState.WAITING: frozenset({NightState.PREPARING}),
    NightState.PREPARING: frozenset(
        {NightState.TRAINING, NightState.WAITING, NightState.YIELDING, NightState.FAILED}
    ),
    NightState.TRAINING: frozenset(
        {NightState.JUDGING, NightState.YIELDING, NightState.FAILED, NightState.PREPARING}
    ),
    NightState.YIELDING: frozenset(
        {NightState.PREPARING, NightState.TRAINING, NightState.JUDGING, NightState.FAILED}
    ),
    NightState.JUDGING: frozenset(
        {NightState.PUBLISHING, NightState.REFUSED, NightState.FAILED, NightState.PREPARING,
         NightState.YIELDING}
    ),
    NightState.PUBLISHING: frozenset({NightState.DONE, NightState.FAILED, NightState.PREPARING}),
    NightState.DONE: frozenset(),
    NightState.REFUSED: frozenset(),
    NightState.FAILED: frozenset(),
}  # fmt: skip


class WrongTransition(Exception):  # noqa: N818 - says what happened
    """A night cannot go from the one state to the other; this is an error in nightloom."""


def begin(*, started_at: float, base: str, parent: str | None) -> Record:
    """A night that has just begun: every public key is there from the start."""
    return {
        "started_at": started_at,
        "state": NightState.PREPARING.value,
        "documents": 0,
        "tokens": 0,
        "tokens_per_second": None,
        "steps": 0,
        "held_out_loss_before": None,
        "held_out_loss_after": None,
        "held_out_perplexity_before": None,
        "held_out_perplexity_after": None,
        "held_out_gain_low": None,
        "held_out_gain_high": None,
        "general_loss_before": None,
        "general_loss_after": None,
        "verdict": None,
        "reason": None,
        "sentence": None,
        "adapter": None,
        "seconds": 0.0,
        "stage_seconds": {},
        "peak_bytes": 0,
        "lost": {},
        "holds": 0,
        "slowest_stop_seconds": None,
        "training": None,
        "kept_share": None,
        "base": base,
        "parent": parent,
        "plan": None,
    }


def moved(record: Record, state: NightState) -> Record:
    """The record in its next state.

    Raises:
        WrongTransition: that state cannot follow.
    """
    if state not in TRANSITIONS[NightState(record["state"])]:
        raise WrongTransition(f"{record['state']} -> {state.value}")
    return {**record, "state": state.value}


def with_plan(record: Record, plan: NightPlan, recipe: Mapping[str, Any]) -> Record:
    """The record with all that an exact continuation needs besides the checkpoint."""
    return {
        **record,
        "documents": len(plan.train) + len(plan.reading),
        "plan": {"roles": asdict(plan), "recipe": dict(recipe), "rows": ROWS},
    }


def with_training(record: Record, training: TrainingPlan) -> Record:
    """The record with how its rows go through the model, which an exact continuation needs too."""
    return {**record, "training": training.to_json()}


def training_plan(record: Record) -> TrainingPlan | None:
    """How the night trains, once that is planned."""
    kept = record.get("training")
    return None if kept is None else TrainingPlan.from_json(kept)


def planned(record: Record) -> NightPlan | None:
    """The plan that a record holds, if it holds one; older ones name fewer roles."""
    kept = record.get("plan")
    if not kept:
        return None
    roles = kept["roles"]
    lists = ("train", "replay", "held_out", "stable", "newly_stable")
    return NightPlan(
        **{name: tuple(roles[name]) for name in lists},
        seed=roles["seed"],
        reading=tuple(roles.get("reading", ())),
        fresh=tuple((number, start, end) for number, start, end in roles.get("fresh", ())),
    )


def same_rows(record: Record) -> bool:
    """Whether texts become the rows that its checkpoint, if there is one, was made with."""
    return bool(record["plan"].get("rows") == ROWS)


def still_valid(
    record: Record,
    *,
    base: str,
    parent: str | None,
    recipe: Mapping[str, Any],
    present: frozenset[int],
) -> NightPlan | None:
    """An unfinished night's plan, if base, parent, recipe and documents are as they were.

    Args:
        base, parent: what a night would start from now.
        recipe: as configured now.
        present: the documents that are still current.
    """
    plan = planned(record)
    if plan is None or (record["base"], record["parent"]) != (base, parent):
        return None
    if record["plan"]["recipe"] != recipe or not plan.all_ids <= present:
        return None
    return plan


def abandoned(record: Record) -> Record:
    """An unfinished night that cannot be taken up again."""
    return {
        **record,
        "state": NightState.FAILED.value,
        "reason": "abandoned",
        "sentence": "It was interrupted, and its text or its base is no longer the same; "
        "a new night began.",
    }


def with_measured(record: Record, measured: Measured) -> Record:
    """The record with what the gate measured; figures that are not finite become null."""
    before, after = measured.held_out_loss_before, measured.held_out_loss_after
    figures = {
        "held_out_loss_before": before,
        "held_out_loss_after": after,
        "held_out_perplexity_before": _exp(before),
        "held_out_perplexity_after": _exp(after),
        "held_out_gain_low": measured.held_out_gain_low,
        "held_out_gain_high": measured.held_out_gain_high,
        "general_loss_base": measured.general_loss_base,
        "general_loss_before": measured.general_loss_before,
        "general_loss_after": measured.general_loss_after,
    }
    return {
        **record,
        **{name: value if math.isfinite(value) else None for name, value in figures.items()},
    }


def _exp(nats: float) -> float:
    return math.exp(nats) if nats < 700 else math.inf


def shown(record: Record) -> Record:
    """What `night log` shows: everything but the plan."""
    return {name: value for name, value in record.items() if name != "plan"}
