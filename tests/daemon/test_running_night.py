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


# --------------------------------------------------------------------------- held


class Watch:
    """The stop-watch of a night."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("daemon.running_night.time.monotonic", lambda: self.now)


def test_held_seconds_are_lost_to_their_reason_and_are_no_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch, night = Watch(monkeypatch), Night()
    night.move(NightState.TRAINING)
    watch.now += 10.0
    assert night.hold("presence")
    night.stands_still(0.25)
    assert night.held is not None
    assert (night.held.reason, night.held.since) == ("presence", 1_700_000_000.0)
    watch.now += 100.0
    assert night.hold("power"), "another reason from now on"
    watch.now += 30.0
    night.go_on()
    watch.now += 5.0
    night.move(NightState.JUDGING)
    watch.now += 2.0

    record = night.timed()
    assert record["seconds"] == pytest.approx(17.0)
    assert record["lost"] == {"presence": 100.0, "power": 30.0}
    assert record["stage_seconds"] == {"preparing": 0.0, "training": 15.0, "judging": 2.0}
    assert (record["holds"], record["slowest_stop_seconds"]) == (1, 0.25)
    assert record["state"] == "judging"
    shown = [(line["state"], line.get("reason")) for line in night.lines]
    assert shown == [
        ("training", None), ("yielding", "presence"), ("training", None), ("judging", None),
    ]  # fmt: skip
    assert night.states == [
        NightState.TRAINING, NightState.YIELDING, NightState.TRAINING, NightState.JUDGING,
    ]  # fmt: skip


def test_chats_take_their_seconds_from_the_stage_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, night = Watch(monkeypatch), Night()
    night.move(NightState.TRAINING)
    watch.now += 60.0
    night.lost("chat", 20.0)
    night.lost("chat", 0.0)
    record = night.timed()
    assert (record["seconds"], record["lost"]) == (40.0, {"chat": 20.0})
    assert record["stage_seconds"]["training"] == 40.0


def test_a_held_night_that_is_taken_up_counts_on_what_was_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch, night = Watch(monkeypatch), Night()
    night.move(NightState.TRAINING)
    watch.now += 8.0
    night.hold("temperature")
    watch.now += 30.0
    night.yields()
    kept = night.timed() | {"id": 3}
    assert (kept["state"], kept["reason"]) == ("yielding", "temperature")

    watch.now += 7200.0
    again = Night()
    again.takes_up(kept)
    assert again.record["reason"] is None
    again.move(NightState.TRAINING)
    watch.now += 4.0
    again.hold("presence")
    watch.now += 1.0
    record = again.timed()
    assert record["seconds"] == pytest.approx(12.0)
    assert record["lost"] == {"temperature": 30.0, "presence": 1.0}


def test_a_night_that_is_held_before_it_knows_its_plan_goes_on_with_it() -> None:
    night = Night()
    night.hold("presence")
    night.begins("base", None)
    assert (night.record["state"], night.record["base"]) == ("yielding", "base")
    night.go_on()
    assert night.record["state"] == "preparing"
    night.move(NightState.TRAINING)
    assert night.record["holds"] == 1


def test_a_night_that_publishes_or_has_ended_is_not_held() -> None:
    night = Night()
    night.move(NightState.TRAINING)
    night.move(NightState.JUDGING)
    night.move(NightState.PUBLISHING)
    assert not night.hold("presence")
    night.end(NightState.DONE, "passed", None, "It got better.")
    assert not night.hold("presence")


def test_a_verdict_that_comes_while_the_night_is_held_ends_the_night() -> None:
    night = Night()
    night.move(NightState.TRAINING)
    night.move(NightState.JUDGING)
    night.hold("presence")
    night.end(NightState.REFUSED, "refused", "no_gain", "It did not get better.")
    assert (night.held, night.record["state"]) == (None, "refused")
