"""Which tokens of a text are learned: all of one's own writing, only the own turns of a talk."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from trainer.base_model import BaseModel
from trainer.base_tokenizer import BaseTokenizer
from trainer.curation import conversation_tokens, curate
from trainer.examples import Role, SourceText, TrainingExample, Turn

Load = Callable[..., BaseModel]


@pytest.fixture
def tokenizer(load: Load) -> BaseTokenizer:
    return load("llama").tokenizer


def spelled(tokenizer: BaseTokenizer, ids: Sequence[int]) -> str:
    return b"".join(map(tokenizer.token_bytes, ids)).decode()


def learned(tokenizer: BaseTokenizer, turns: list[Turn]) -> str:
    """The words of a conversation that are targets; marks stand for no letters."""
    ids, mask = conversation_tokens(turns, tokenizer)
    return spelled(tokenizer, ids[mask].tolist())


def test_running_text_is_learned_to_its_end_mark(tokenizer: BaseTokenizer) -> None:
    (made,) = curate([SourceText(key=7, role=Role.NEW, text="The bees came back.")], tokenizer)
    assert (made.key, made.role) == (7, Role.NEW)
    assert made.ids.tolist() == tokenizer.encode_document("The bees came back.")
    assert made.loss_mask.tolist() == [False] + [True] * (len(made.ids) - 1)
    assert made.ids[-1] == tokenizer.end_id
    assert made.targets == len(made.ids) - 1


def test_only_own_turns_are_learned(tokenizer: BaseTokenizer) -> None:
    turns = [
        Turn(own=False, text="Where were you?"),
        Turn(own=True, text="In the garden. "),
        Turn(own=False, text="All day?"),
        Turn(own=True, text="Until the rain."),
    ]
    assert learned(tokenizer, turns) == "In the garden. Until the rain."


def test_each_own_turn_ends_with_a_learned_end_mark(tokenizer: BaseTokenizer) -> None:
    turns = [Turn(own=False, text="Where?"), Turn(own=True, text="There.")]
    ids, mask = conversation_tokens(turns, tokenizer)
    assert ids[mask][-1] == tokenizer.end_id
    assert int((ids[mask] == tokenizer.end_id).sum()) == 1


def test_where_the_own_turn_opens_the_talk_its_marks_are_not_learned(
    tokenizer: BaseTokenizer,
) -> None:
    turns = [Turn(own=True, text="Good morning."), Turn(own=False, text="Morning.")]
    ids, mask = conversation_tokens(turns, tokenizer)
    assert ids[mask].tolist() == [*tokenizer.encode_text("Good morning."), tokenizer.end_id]


def test_a_talk_among_others_is_nothing_to_learn(tokenizer: BaseTokenizer) -> None:
    talk = SourceText(key=1, role=Role.NEW, turns=(Turn(own=False, text="Hello there."),))
    assert curate([talk], tokenizer) == []


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_text_has_at_most_its_blanks_to_learn(tokenizer: BaseTokenizer, text: str) -> None:
    made = curate([SourceText(key=1, role=Role.NEW, text=text)], tokenizer)
    assert [len(one.ids) for one in made] == [len(tokenizer.encode_document(text))]


class Forgetful:
    """A template that shortens earlier answers to a letter, as some do with earlier reasoning."""

    def encode_document(self, text: str) -> list[int]:
        raise NotImplementedError

    def encode_chat(self, messages: Sequence[tuple[str, str]], *, reply_follows: bool) -> list[int]:
        *earlier, (_, last) = messages
        shown = [content[:1] if role == "assistant" else content for role, content in earlier]
        return [ord(letter) for letter in "".join([*shown, last])]


def test_a_template_that_rewrites_earlier_turns_makes_nobody_elses_words_learned() -> None:
    turns = [Turn(own=False, text="a"), Turn(own=True, text="bc"), Turn(own=False, text="d")]
    ids, mask = conversation_tokens(turns, Forgetful())
    assert "".join(map(chr, ids.tolist())) == "abd"
    assert not mask.any()
    ids, mask = conversation_tokens([*turns, Turn(own=True, text="ef")], Forgetful())
    assert "".join(map(chr, ids[mask].tolist())) == "ef"


def test_an_example_whose_mask_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="alike"):
        TrainingExample(
            key=1, role=Role.NEW, ids=np.zeros(3, dtype=np.int32), loss_mask=np.ones(2, dtype=bool)
        )


def test_no_text_stands_in_the_repr_of_what_curation_is_given() -> None:
    turn = Turn(own=True, text="heather honey")
    assert "heather" not in repr(SourceText(key=1, role=Role.NEW, text="heather", turns=(turn,)))
