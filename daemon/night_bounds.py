"""How much one night can take, from what the configuration and the last night say. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from daemon.night_planning import PlanPolicy, characters_of_a_night, reading_per_own

# Of the presets, as trainer/recipe.py has them; the service does not import what needs torch.
PASSES = 4
SHARES: Mapping[str, tuple[float, float]] = {  # of replay and of general text
    "personal": (0.10, 0.25),
    "guanaco": (0.0, 0.0),
}


def policy_of_a_night(
    policy: PlanPolicy,
    recipe: Mapping[str, Any],
    *,
    tokens_per_second: float | None,
    max_seconds: float,
) -> PlanPolicy:
    """The policy with tonight's bounds.

    Args:
        recipe: as it is configured.
        tokens_per_second: of the night before; None where there was none.
    """
    passes = int(recipe.get("passes", PASSES))
    replay, general = SHARES[recipe.get("preset", "personal")]
    shares = recipe.get("shares", {})
    return replace(
        policy,
        train_most_characters=characters_of_a_night(
            tokens_per_second, seconds=max_seconds, passes=passes
        ),
        reading_per_own=reading_per_own(
            passes=passes,
            replay=shares.get("replay", replay),
            general=shares.get("general", general),
        ),
    )
