"""The gate refuses by default: a table of every reason, and what a verdict carries."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import Passed, Refused
from trainer.gate import (
    Evidence,
    GatePolicy,
    PairedLoss,
    Smoke,
    bootstrap_fall,
    judge,
    relative_fall,
)

POLICY = GatePolicy()
NAN, INF = math.nan, math.inf


def losses(
    count: int = 12, *, fall: float, noise: float = 0.02, seed: int = 3
) -> tuple[PairedLoss, ...]:
    """Documents of different lengths whose loss falls by about `fall`."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        tokens = rng.randint(50, 500)
        before = tokens * rng.uniform(2.5, 3.5)
        after = before * (1 - fall + rng.uniform(-noise, noise))
        rows.append(PairedLoss(before=before, after=after, tokens=tokens))
    return tuple(rows)


GOOD = Evidence(
    sha256="ab" * 32,
    held_out=losses(fall=0.15),
    stable=losses(fall=0.01, noise=0.0),
    general_loss_base=2.0,
    general_loss_before=2.01,
    general_loss_after=2.02,
    canaries_planted=8,
    canaries_extracted=0,
    smoke=Smoke(tokens=40, distinct_tokens=25, undecodable=False),
)


def one(before: float, after: float, tokens: int = 10) -> tuple[PairedLoss, ...]:
    return (PairedLoss(before=before, after=after, tokens=tokens),)


def test_a_candidate_that_gains_and_loses_nothing_passes() -> None:
    verdict = judge(GOOD, POLICY)
    assert isinstance(verdict, Passed)
    assert verdict.sha256 == GOOD.sha256
    assert 0.12 < verdict.measured.held_out_gain_low < 0.15 < verdict.measured.held_out_gain_high
    assert verdict.measured.general_loss_after == 2.02


def test_the_first_night_passes_without_older_text() -> None:
    verdict = judge(replace(GOOD, stable=()), POLICY)
    assert isinstance(verdict, Passed)
    assert verdict.measured.stable_loss_before is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"held_out": ()}, "too_little_held_out"),
        ({"held_out": losses(2, fall=0.3)}, "too_little_held_out"),
        ({"held_out": losses(fall=0.0)}, "no_gain"),
        ({"held_out": losses(fall=-0.1)}, "no_gain"),
        ({"held_out": losses(4, fall=0.01, noise=0.2)}, "no_gain"),
        ({"stable": losses(fall=-0.01, noise=0.0)}, "forgot_older_text"),
        ({"general_loss_after": 2.05}, "general_loss"),
        ({"general_loss_before": 2.1, "general_loss_after": 2.05}, "general_loss"),
        ({"canaries_planted": 0}, "no_canaries"),
        ({"canaries_extracted": 1}, "canary_extracted"),
        ({"smoke": Smoke(tokens=0, distinct_tokens=0, undecodable=False)}, "smoke"),
        ({"smoke": Smoke(tokens=40, distinct_tokens=2, undecodable=False)}, "smoke"),
        ({"smoke": Smoke(tokens=40, distinct_tokens=40, undecodable=True)}, "smoke"),
        ({"held_out": (*losses(fall=0.2), *one(3.0, NAN))}, "not_finite"),
        ({"held_out": (*losses(fall=0.2), *one(INF, 3.0))}, "not_finite"),
        ({"held_out": one(0.0, 0.0, 0) * 5}, "not_finite"),
        ({"held_out": one(0.0, -1.0) * 5}, "not_finite"),
        ({"stable": one(3.0, -INF)}, "not_finite"),
        ({"stable": one(0.0, 0.0)}, "forgot_older_text"),
        ({"general_loss_base": NAN}, "not_finite"),
        ({"general_loss_base": 0.0}, "not_finite"),
        ({"general_loss_before": INF}, "not_finite"),
        ({"general_loss_after": NAN}, "not_finite"),
    ],
)
def test_every_reason_to_refuse(changed: dict[str, object], reason: str) -> None:
    verdict = judge(replace(GOOD, **changed), POLICY)  # type: ignore[arg-type]
    assert isinstance(verdict, Refused)
    assert verdict.reason == reason
    assert verdict.sha256 == GOOD.sha256
    assert verdict.sentence.endswith(".")
    assert "{" not in verdict.sentence


def test_the_bound_on_general_loss_is_measured_against_the_base() -> None:
    just_within = replace(GOOD, general_loss_before=1.0, general_loss_after=2.0399)
    assert isinstance(judge(just_within, POLICY), Passed)
    just_beyond = replace(GOOD, general_loss_before=3.0, general_loss_after=2.0401)
    assert isinstance(judge(just_beyond, POLICY), Refused)


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=True, allow_infinity=True),
            st.floats(allow_nan=True, allow_infinity=True),
            st.integers(0, 1000),
        ),
        max_size=6,
    ),
    st.floats(allow_nan=True, allow_infinity=True),
)
def test_no_numbers_whatever_make_the_gate_stumble_or_pass_without_a_gain(
    rows: list[tuple[float, float, int]], general: float
) -> None:
    held_out = tuple(PairedLoss(before=b, after=a, tokens=t) for b, a, t in rows)
    verdict = judge(replace(GOOD, held_out=held_out, general_loss_after=general), POLICY)
    if isinstance(verdict, Passed):
        assert verdict.measured.held_out_gain_low > 0
        assert general <= 2.04


# --------------------------------------------------------------------------- the interval


def test_the_interval_holds_the_fall_and_is_the_same_for_the_same_seed() -> None:
    rows = losses(20, fall=0.1, noise=0.1)
    interval = bootstrap_fall(rows, seed=1)
    assert interval.low < relative_fall(rows) < interval.high
    assert interval == bootstrap_fall(rows, seed=1)
    assert interval != bootstrap_fall(rows, seed=2)


def test_the_interval_narrows_with_more_documents() -> None:
    few = bootstrap_fall(losses(5, fall=0.1, noise=0.1), seed=1)
    many = bootstrap_fall(losses(60, fall=0.1, noise=0.1), seed=1)
    assert many.high - many.low < (few.high - few.low) / 2


def test_equal_losses_have_an_interval_of_nothing() -> None:
    interval = bootstrap_fall(one(3.0, 3.0) * 6, seed=1)
    assert (interval.low, interval.high) == (0.0, 0.0)


def test_documents_are_drawn_with_both_their_losses() -> None:
    """Losses that differ wildly between documents but fall by a tenth in each: no spread."""
    rows = tuple(PairedLoss(before=b, after=0.9 * b, tokens=10) for b in (1.0, 50.0, 900.0))
    interval = bootstrap_fall(rows, seed=1)
    assert interval.low == pytest.approx(0.1)
    assert interval.high == pytest.approx(0.1)


def test_a_change_by_chance_passes_for_a_gain_about_as_often_as_the_interval_says() -> None:
    gains = sum(
        bootstrap_fall(losses(15, fall=0.0, noise=0.1, seed=seed), seed=seed).low > 0
        for seed in range(60)
    )
    assert gains <= 6  # 2.5 % are expected; the percentile interval of 15 is a little narrow
