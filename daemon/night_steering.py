"""What the night that runs, or the next one, is told after a decision. Pure."""

from enum import StrEnum

from daemon.conditions.decision import Decision

# These end a night: a checkpoint, and its memory is given back at once. Others hold it.
ENDS = frozenset({"window", "paused", "locked"})


class Step(StrEnum):
    NOTHING = "nothing"
    BEGIN = "begin"
    HOLD = "hold"
    GO_ON = "go_on"
    STOP = "stop"


def next_step(decision: Decision, *, runs: bool, held: bool) -> Step:
    """Args:
    runs: there is a night.
    held: it computes nothing.
    """
    if not runs:
        return Step.BEGIN if decision.would_work else Step.NOTHING
    if decision.would_work:
        return Step.GO_ON if held else Step.NOTHING
    if decision.blocked_by(ENDS):
        return Step.STOP
    return Step.NOTHING if held else Step.HOLD
