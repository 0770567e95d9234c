"""How much one night takes, by its recipe and by the rate of the one before."""

import pytest

from daemon.night_bounds import PASSES, SHARES, policy_of_a_night
from daemon.night_planning import PlanPolicy
from trainer import recipe as recipes

POLICY = PlanPolicy()


def test_the_presets_are_those_of_the_trainer() -> None:
    for name, preset in (("personal", recipes.personal(1)), ("guanaco", recipes.guanaco(1))):
        assert (preset.shares.replay, preset.shares.general) == SHARES[name]
        assert preset.passes == PASSES


def test_a_night_reads_what_its_time_allows() -> None:
    policy = policy_of_a_night(POLICY, {"passes": 2}, tokens_per_second=10.0, max_seconds=3600.0)
    assert policy.train_most_characters == 48_000
    first = policy_of_a_night(POLICY, {}, tokens_per_second=None, max_seconds=3600.0)
    assert first.train_most_characters is None


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ({}, 0.77),
        ({"preset": "personal", "passes": 8}, 1.54),
        ({"shares": {"general": 0.5}}, 2.5),
        ({"preset": "guanaco"}, 0.0),
    ],
)
def test_what_others_wrote_takes_half_of_the_general_share(
    recipe: dict[str, object], expected: float
) -> None:
    policy = policy_of_a_night(POLICY, recipe, tokens_per_second=None, max_seconds=1.0)
    assert policy.reading_per_own == pytest.approx(expected, abs=0.01)
