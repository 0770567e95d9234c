"""Which tokens of a text are learned: all of one's own writing, and nothing of others' talk."""

from collections.abc import Callable

import numpy as np
import pytest

from trainer.base_model import BaseModel
from trainer.base_tokenizer import BaseTokenizer
from trainer.curation import curate
from trainer.examples import Role, SourceText, TrainingExample, Turn
from trainer.shared_lines import MANY_LEAST

Load = Callable[..., BaseModel]


@pytest.fixture
def tokenizer(load: Load) -> BaseTokenizer:
    return load("llama").tokenizer


def test_running_text_is_learned_to_its_end_mark(tokenizer: BaseTokenizer) -> None:
    (made,) = curate(
        [SourceText(key=7, role=Role.NEW, text="The bees came back.")], tokenizer, most_tokens=64
    )
    assert (made.key, made.role) == (7, Role.NEW)
    assert made.ids.tolist() == tokenizer.encode_document("The bees came back.")
    assert made.loss_mask.tolist() == [False] + [True] * (len(made.ids) - 1)
    assert made.ids[-1] == tokenizer.end_id
    assert made.targets == len(made.ids) - 1


def test_a_talk_among_others_is_nothing_to_learn(tokenizer: BaseTokenizer) -> None:
    talk = SourceText(key=1, role=Role.NEW, turns=(Turn(own=False, text="Hello there."),))
    assert curate([talk], tokenizer, most_tokens=64) == []


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_text_has_at_most_its_blanks_to_learn(tokenizer: BaseTokenizer, text: str) -> None:
    made = curate([SourceText(key=1, role=Role.NEW, text=text)], tokenizer, most_tokens=64)
    assert [len(one.ids) for one in made] == [len(tokenizer.encode_document(text))]


@pytest.mark.parametrize("role", [Role.NEW, Role.REPLAY, Role.READING, Role.HELD_OUT])
def test_a_footer_in_very_many_texts_is_in_no_example(role: Role, tokenizer: BaseTokenizer) -> None:
    bodies = [f"The bees of hive {number} came back.\n" for number in range(MANY_LEAST)]
    sources = [
        SourceText(key=number, role=role, text=f"{body}\nSent from my small telephone.\n")
        for number, body in enumerate(bodies)
    ]
    made = curate(sources, tokenizer, most_tokens=64)
    assert [one.ids.tolist() for one in made] == [
        tokenizer.encode_document(body) for body in bodies
    ]


def test_an_example_whose_mask_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="alike"):
        TrainingExample(
            key=1, role=Role.NEW, ids=np.zeros(3, dtype=np.int32), loss_mask=np.ones(2, dtype=bool)
        )


def test_no_text_stands_in_the_repr_of_what_curation_is_given() -> None:
    turn = Turn(own=True, text="heather honey")
    assert "heather" not in repr(SourceText(key=1, role=Role.NEW, text="heather", turns=(turn,)))
