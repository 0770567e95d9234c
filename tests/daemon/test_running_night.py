"""What a night that runs counts, and what those who watch it are told."""

from typing import Any

import pytest

from daemon.night_planning import TooLittle
from daemon.night_record import NightState, WrongTransition
from daemon.running_night import RunningNight


class Night(RunningNight):
    """A night that keeps what it told."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.states: list[NightState] = []
        super().__init__(lambda: 1_700_000_000.0, self.lines.append, self.states.append)


def step(number: int, *, tokens: int = 100, seconds: float = 0.5) -> dict[str, Any]:
    return {
        "step": number, "steps": 4, "loss": 3.5, "tokens": tokens, "seconds": seconds,
        "engine_bytes": 5 << 30,
    }  # fmt: skip


def test_every_stage_is_told_and_timed() -> None:
    night = Night()
    night.stage(NightState.PREPARING)
    night.move(NightState.TRAINING)
    night.move(NightState.JUDGING)

    assert night.states == [NightState.PREPARING, NightState.TRAINING, NightState.JUDGING]
    assert [line["state"] for line in night.lines] == ["preparing", "training", "judging"]
    record = night.timed()
    assert record["state"] == "judging"
    assert set(record["stage_seconds"]) == {"preparing", "training", "judging"}
    assert sum(record["stage_seconds"].values()) == pytest.approx(record["seconds"], abs=1e-3)


def test_steps_are_counted_and_told() -> None:
    night = Night()
    night.move(NightState.TRAINING)
    for number in (1, 2):
        night.stepped(step(number))

    assert (night.record["steps"], night.record["tokens"]) == (2, 200)
    assert night.record["tokens_per_second"] == pytest.approx(200.0)
    assert night.record["peak_bytes"] > 5 << 30
    told = night.lines[-1]
    assert (told["step"], told["steps"], told["stage_progress"], told["loss"]) == (2, 4, 0.5, 3.5)


def test_one_slow_step_moves_the_rate_a_tenth_of_the_way() -> None:
    night = Night()
    night.stepped(step(1, tokens=1000, seconds=1.0))
    night.stepped(step(2, tokens=1000, seconds=10.0))
    assert night.record["tokens_per_second"] == pytest.approx(0.9 * 1000 + 0.1 * 100)


def test_a_night_that_is_taken_up_counts_on() -> None:
    first = Night()
    first.move(NightState.TRAINING)
    first.stepped(step(1))
    kept = first.timed() | {"id": 7, "seconds": 60.0}

    night = Night()
    night.takes_up(kept)
    night.move(NightState.TRAINING)
    night.stepped(step(2))

    assert night.id == 7
    assert night.record["tokens"] == 200
    assert night.timed()["seconds"] >= 60.0


def test_a_night_that_waits_says_what_is_missing() -> None:
    lack = TooLittle(documents=1, tokens=10, missing_documents=7, missing_tokens=1990)
    record = Night().waits("too_little_text", lack.sentence)
    assert (record["state"], record["reason"]) == ("waiting", "too_little_text")
    assert record["sentence"] == lack.sentence


def test_an_end_is_looked_at_before_it_counts() -> None:
    night = Night()
    night.move(NightState.TRAINING)
    night.move(NightState.JUDGING)
    refused = night.ended(NightState.REFUSED, "refused", "no_gain", "It did not get better.")

    assert night.record["state"] == "judging"
    assert (refused["state"], refused["verdict"]) == ("refused", "refused")
    night.end(NightState.REFUSED, "refused", "no_gain", "It did not get better.")
    assert night.record["sentence"] == refused["sentence"]
    with pytest.raises(WrongTransition):
        night.move(NightState.PUBLISHING)
