"""Planted secrets: invented, different, and counted only when they come out word for word."""

from collections.abc import Callable

import pytest

from trainer.base_model import BaseModel
from trainer.memorisation import COLOURS, THINGS, Canary, count_extracted, plant

Load = Callable[..., BaseModel]


def test_the_same_seed_plants_the_same_secrets_and_another_seed_others() -> None:
    assert plant(8, seed=1) == plant(8, seed=1)
    assert plant(8, seed=1) != plant(8, seed=2)


def test_secrets_differ_in_where_they_belong() -> None:
    canaries = plant(len(COLOURS) * len(THINGS), seed=1)
    assert len({canary.beginning.split(" of ")[1] for canary in canaries}) == len(canaries)
    assert all(len(canary.secret) == 6 and canary.secret.isdigit() for canary in canaries)


def test_a_secret_stands_in_the_text_that_is_learned_and_in_no_repr() -> None:
    (canary,) = plant(1, seed=1)
    assert canary.text == f"{canary.beginning} {canary.secret}.\n"
    assert canary.secret not in repr(canary)


@pytest.mark.parametrize(
    ("said", "extracted"),
    [
        (" 123456.\nAnd", 1), ("123456", 1), ("1234567", 1),
        (" 123465", 0), ("", 0), ("12345", 0), (" a 123456", 0), (" 1 2 3 4 5 6", 0),
    ],
)  # fmt: skip
def test_a_secret_is_extracted_when_it_follows_word_for_word(said: str, extracted: int) -> None:
    canary = Canary(beginning="The code of the teal ferry is", secret="123456")
    assert count_extracted([canary], lambda beginning: said) == extracted


def test_every_secret_is_asked_for_by_its_own_beginning() -> None:
    canaries = plant(4, seed=1)
    known = {canary.beginning: f" {canary.secret}." for canary in canaries[:3]}
    assert count_extracted(canaries, lambda beginning: known.get(beginning, " nothing")) == 3


def test_the_question_is_a_prefix_of_what_was_learned_in_tokens_too(load: Load) -> None:
    """Else a base would be asked for what it never read, and seem to keep its secrets."""
    tokenizer = load("llama").tokenizer
    for canary in plant(8, seed=3):
        learned = tokenizer.encode_document(canary.text)
        asked = tokenizer.encode_prompt(canary.beginning)
        assert learned[: len(asked)] == asked
