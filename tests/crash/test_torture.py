"""A kill at a random moment; `python -m tests.crash.torture N` for more."""

import random

import pytest

from tests.crash.torture import torture
from tests.pipeline import tiny
from tests.pipeline.living import Nightloom

KILLS = 1


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kills_at_random_moments_lose_nothing_acknowledged(noted: Nightloom) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}: python -m tests.crash.torture {KILLS} {seed}")  # shown when it fails
    toll = torture(noted, kills=KILLS, seed=seed)
    assert sum(toll.kills.values()) >= KILLS
    assert toll.acknowledged >= tiny.NOTES
