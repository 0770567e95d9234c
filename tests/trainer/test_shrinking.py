"""Keeping as much of a night as general ability allows."""

import math
from collections.abc import Callable

import pytest
import torch

from trainer.shrinking import Shrunk, shrink_to_budget

START = {"one": torch.tensor([1.0, 2.0]), "two": torch.tensor([[0.5]])}
END = {"one": torch.tensor([3.0, 2.0]), "two": torch.tensor([[-0.5]])}


def shrunk(
    budget: float, measure: Callable[[float], float]
) -> tuple[dict[str, torch.Tensor], Shrunk]:
    """Go back along a line on which the divergence at a share of the way is `measure(share)`."""
    parameters = {name: tensor.clone() for name, tensor in END.items()}
    result = shrink_to_budget(
        parameters, START, lambda: measure(float(parameters["one"][0] - 1.0) / 2.0), budget
    )
    return parameters, result


def test_a_night_within_its_budget_is_kept_whole() -> None:
    parameters, result = shrunk(0.1, lambda share: 0.1 * share)
    assert result.share == 1.0
    assert result.divergence == pytest.approx(0.1)
    assert all(torch.equal(parameters[name], END[name]) for name in END)


def test_a_night_beyond_it_goes_back_just_as_far_as_it_must() -> None:
    parameters, result = shrunk(0.25, lambda share: share**2)  # keeps half of the way
    assert result.share == pytest.approx(0.5, abs=1 / 64)
    assert result.divergence <= 0.25
    torch.testing.assert_close(
        parameters["one"], torch.lerp(START["one"], END["one"], result.share)
    )
    torch.testing.assert_close(
        parameters["two"], torch.lerp(START["two"], END["two"], result.share)
    )


@pytest.mark.parametrize(
    ("power", "steepness", "most"),
    [(2, 1.0, 2), (2, 60.0, 2), (1.6, 4.0, 4), (3, 9.0, 5), (1, 5, 4)],
)
def test_few_tries_find_nearly_all_of_what_may_be_kept(
    power: float, steepness: float, most: int
) -> None:
    """Each costs two passes over samples, which on a large base take minutes."""
    tried: list[float] = []

    def measure(share: float) -> float:
        tried.append(share)
        return steepness * float(share**power)

    _, result = shrunk(0.2, measure)
    best = (0.2 / steepness) ** (1 / power)
    assert best - 1 / 32 <= result.share <= best
    assert result.divergence == pytest.approx(steepness * result.share**power, rel=1e-3)
    assert len(tried) <= most


@pytest.mark.parametrize("divergence", [1.0, math.nan, math.inf])
def test_a_night_that_no_share_of_saves_ends_where_it_began(divergence: float) -> None:
    parameters, result = shrunk(0.1, lambda share: divergence)
    assert result.share == 0.0
    assert all(torch.equal(parameters[name], START[name]) for name in START)
