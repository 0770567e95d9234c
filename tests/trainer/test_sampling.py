"""Drawing: penalties, cuts and chances as the stock implementations have them."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from trainer import errors
from trainer.sampling import (
    LEAST_LOGPROB,
    SamplingSettings,
    Seen,
    chances_of,
    choose,
    draw,
    generator_for,
    nucleus,
)

CPU = torch.device("cpu")
WORDS = 50
ALL = {"temperature": 1.0, "top_p": 1.0}


def row(seed: int = 3) -> torch.Tensor:
    """Logits of one row: (1, vocabulary)."""
    return 3 * torch.randn((1, WORDS), generator=torch.Generator().manual_seed(seed))


def drawn_from(logits: torch.Tensor, wanted: SamplingSettings) -> set[int]:
    """The tokens that come up in many draws."""
    return set(choose(logits.expand(3000, -1), wanted, generator_for(1, CPU)).tolist())


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    temperature=st.floats(0.2, 2.0),
    top_k=st.none() | st.integers(1, 2 * WORDS),
    top_p=st.floats(0.05, 1.0),
    min_p=st.floats(0.0, 0.9),
    repetition=st.floats(0.5, 2.0),
    said=st.lists(st.integers(0, WORDS - 1), max_size=20),
)
def test_the_same_token_is_drawn_as_after_transformers_own_processors(
    seed: int, temperature: float, top_k: int | None, top_p: float, min_p: float,
    repetition: float, said: list[int],
) -> None:  # fmt: skip
    logits = row(seed)
    ours = SamplingSettings(
        temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p,
        repetition_penalty=repetition,
    )  # fmt: skip
    theirs: Any = LogitsProcessorList([TemperatureLogitsWarper(temperature)])
    if said:
        theirs.insert(0, RepetitionPenaltyLogitsProcessor(repetition))
    theirs += [TopKLogitsWarper(top_k)] if top_k else []
    theirs += [TopPLogitsWarper(top_p)] if top_p < 1 else []
    theirs += [MinPLogitsWarper(min_p)]
    left = theirs(torch.tensor([said]), logits.clone()).softmax(-1)
    token = int(choose(logits, ours, generator_for(seed, CPU), Seen(said, WORDS)))
    again = int(torch.multinomial(left, 1, generator=generator_for(seed, CPU)))
    assert left[0, token] > 0
    # where no cut falls between rounding errors, even the draw is the same
    assert token == again or math.isclose(
        float(left[0, token]), float(left[0, again]), rel_tol=1e-3
    )


@pytest.mark.parametrize("seed", [0, 7, 2**40])
def test_with_the_defaults_a_seed_draws_what_it_always_drew(seed: int) -> None:
    logits, wanted = row(), SamplingSettings(seed=seed)
    scaled = (logits - logits.amax(-1, keepdim=True)) / 0.7
    ordered, places = scaled.softmax(-1).sort(-1, descending=True)
    kept = torch.where(ordered.cumsum(-1) - ordered < 0.9, ordered, 0.0)
    kept = torch.zeros_like(kept).scatter(-1, places, kept)
    expected = torch.multinomial(kept, 1, generator=generator_for(seed, CPU))
    found = draw(logits, wanted, generator_for(seed, CPU), Seen([1, 2], WORDS))
    assert (found.token, found.chances) == (int(expected), None)


def test_a_row_draws_alone_what_it_draws_among_defaults() -> None:
    logits = row()
    alone = choose(logits, SamplingSettings(), generator_for(5, CPU))
    assert torch.equal(
        alone, choose(logits, SamplingSettings(), generator_for(5, CPU), Seen([], WORDS))
    )


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31), top_p=st.floats(0.01, 0.999), width=st.floats(0.0, 8.0))
def test_a_row_alone_has_the_nucleus_that_it_has_among_others(
    seed: int, top_p: float, width: float
) -> None:
    logits = width * torch.randn((1, 3000), generator=torch.Generator().manual_seed(seed))
    probabilities = logits.round(decimals=1).softmax(-1)  # many are equal
    among = nucleus(probabilities.expand(2, -1), top_p)
    assert torch.equal(nucleus(probabilities, top_p), among[:1])


def test_each_cut_leaves_what_it_says() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.15, 0.1]]).log()
    cuts: list[tuple[dict[str, float], set[int]]] = [
        ({"top_k": 2}, {0, 1}),
        ({"top_k": 9}, {0, 1, 2, 3}),
        ({"min_p": 0.4}, {0, 1}),
        ({"min_p": 1.0}, {0}),
        ({"top_k": 3, "top_p": 0.8}, {0, 1}),  # 0.5 and 0.25 are more than 0.8 of the first three
        ({"top_p": 0.8}, {0, 1, 2}),
        ({"top_p": 0.8, "min_p": 0.5}, {0, 1}),
    ]
    for cut, expected in cuts:
        assert drawn_from(logits, SamplingSettings(**ALL | cut)) == expected, cut  # type: ignore[arg-type]


def test_penalties_count_what_was_said() -> None:
    logits = torch.tensor([[2.0, -2.0, 2.0, 1.0]])
    seen = Seen([0, 1, 9], 4)  # 9 is beyond the vocabulary
    for token in (2, 2, 3):
        seen.push(token)
    repeated = seen.penalise(logits, SamplingSettings(repetition_penalty=2.0))
    assert repeated.tolist() == [[1.0, -4.0, 1.0, 0.5]]
    often = seen.penalise(logits, SamplingSettings(frequency_penalty=0.5, presence_penalty=0.25))
    assert often.tolist() == [[2.0, -2.0, 0.75, 0.25]]
    rewarded = seen.penalise(logits, SamplingSettings(presence_penalty=-1.0))
    assert rewarded.tolist() == [[2.0, -2.0, 3.0, 2.0]]
    assert seen.penalise(logits, SamplingSettings()) is logits


def test_greedy_drawing_heeds_penalties_too() -> None:
    logits, seen = torch.tensor([[2.0, 1.9, 0.0]]), Seen([], 3)
    wanted = SamplingSettings(temperature=0, frequency_penalty=0.06)
    drawn = [draw(logits, wanted, generator_for(1, CPU), seen).token for _ in range(5)]
    assert drawn == [0, 0, 1, 0, 1]


def test_chances_are_those_of_the_raw_logits() -> None:
    logits = row()
    wanted = SamplingSettings(
        temperature=0.1, top_k=1, repetition_penalty=1.5, presence_penalty=1.0, logprobs=3
    )
    drawn = draw(logits, wanted, generator_for(1, CPU), Seen([4], WORDS))
    truth = logits[0].log_softmax(-1)
    assert drawn.chances is not None
    assert drawn.chances.logprob == float(truth[drawn.token])
    best = truth.topk(3)
    assert drawn.chances.likeliest == tuple(
        zip(best.indices.tolist(), best.values.tolist(), strict=True)
    )
    assert chances_of(logits[0], 0, 0).likeliest == ()
    assert len(chances_of(logits[0, :5], 0, 20).likeliest) == 5


def test_a_chance_of_nothing_is_still_a_number() -> None:
    for nothing in (-torch.inf, torch.nan):
        assert chances_of(torch.tensor([0.0, nothing]), 1, 2).logprob == LEAST_LOGPROB


@pytest.mark.parametrize(
    "wrong",
    [
        {"top_k": 0}, {"min_p": -0.1}, {"min_p": 1.1}, {"min_p": math.nan},
        {"repetition_penalty": 0.0}, {"repetition_penalty": math.inf},
        {"presence_penalty": math.nan}, {"frequency_penalty": math.inf},
        {"logprobs": -1}, {"logprobs": 21},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.BadSampling, match=next(iter(wrong))):
        SamplingSettings(**wrong)
