"""Which tokens of a text are learned: all of one's own writing, and nothing of others' talk."""

from collections.abc import Callable

import numpy as np
import pytest

from trainer.base_model import BaseModel
from trainer.base_tokenizer import BaseTokenizer
from trainer.curation import curate
from trainer.examples import Role, SourceText, TrainingExample, Turn

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


def test_an_example_whose_mask_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="alike"):
        TrainingExample(
            key=1, role=Role.NEW, ids=np.zeros(3, dtype=np.int32), loss_mask=np.ones(2, dtype=bool)
        )


def test_no_text_stands_in_the_repr_of_what_curation_is_given() -> None:
    turn = Turn(own=True, text="heather honey")
    assert "heather" not in repr(SourceText(key=1, role=Role.NEW, text="heather", turns=(turn,)))
