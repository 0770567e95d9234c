"""Of a text that has grown only what is new is learned, after a little of what stands before it."""

from collections.abc import Callable

import pytest

from trainer.base_model import BaseModel
from trainer.base_tokenizer import BaseTokenizer
from trainer.curation import CONTEXT_CHARACTERS, context_start, curate
from trainer.examples import READING_KEY, Role, SourceText, TrainingExample, Turn

Load = Callable[..., BaseModel]

DIARY = "\n\n".join(f"Day {n}. The bees of hive {n} came back." for n in range(40))


@pytest.fixture
def tokenizer(load: Load) -> BaseTokenizer:
    return load("llama").tokenizer


def spelled(tokenizer: BaseTokenizer, ids: list[int]) -> str:
    return b"".join(map(tokenizer.token_bytes, ids)).decode()


def learned(tokenizer: BaseTokenizer, made: list[TrainingExample]) -> str:
    return "".join(spelled(tokenizer, one.ids[one.loss_mask].tolist()) for one in made)


def examples(
    tokenizer: BaseTokenizer, text: str, fresh: tuple[int, int] | None = None, most: int = 512
) -> list[TrainingExample]:
    source = SourceText(key=7, role=Role.NEW, text=text, fresh=fresh)
    return curate([source], tokenizer, most_tokens=most)


def test_only_the_new_part_is_a_target(tokenizer: BaseTokenizer) -> None:
    start = DIARY.index("Day 38.")
    (made,) = examples(tokenizer, DIARY, (start, len(DIARY)))
    assert learned(tokenizer, [made]) == DIARY[start:]
    assert made.ids[-1] == tokenizer.end_id
    context = spelled(tokenizer, made.ids[~made.loss_mask].tolist())
    assert context.startswith("Day ")
    assert DIARY[:start].endswith(context)
    assert 0 < len(context) <= CONTEXT_CHARACTERS


def test_a_new_part_in_the_middle_ends_without_an_end_mark(tokenizer: BaseTokenizer) -> None:
    start, end = DIARY.index("Day 20."), DIARY.index("Day 22.")
    (made,) = examples(tokenizer, DIARY, (start, end))
    assert learned(tokenizer, [made]) == DIARY[start:end]
    assert tokenizer.end_id not in made.ids
    assert tokenizer.begin_id not in made.ids


def test_a_new_beginning_has_the_begin_mark_and_no_context(tokenizer: BaseTokenizer) -> None:
    end = DIARY.index("Day 2.")
    (made,) = examples(tokenizer, DIARY, (0, end))
    assert made.ids[0] == tokenizer.begin_id
    assert learned(tokenizer, [made]) == DIARY[:end]


def test_nothing_new_makes_nothing(tokenizer: BaseTokenizer) -> None:
    text = DIARY + "\n\n"
    for place in (10, 300):
        assert examples(tokenizer, text, (place, place)) == []


def test_context_begins_with_a_paragraph_or_a_sentence_or_is_left_out() -> None:
    start = DIARY.index("Day 30.")
    assert DIARY[context_start(DIARY, start) :].startswith("Day ")
    sentences = "It rained all day long. " * 40
    assert sentences[context_start(sentences, 600) :].startswith("It rained")
    assert context_start("x" * 1000, 900) == 900
    assert context_start(DIARY, 100) == 0


def test_long_texts_become_pieces_that_begin_with_a_paragraph(tokenizer: BaseTokenizer) -> None:
    made = examples(tokenizer, DIARY, most=64)
    assert len(made) > 5
    assert {one.key for one in made} == {7}
    assert all(len(one.ids) <= 64 for one in made)
    said = [spelled(tokenizer, one.ids.tolist()) for one in made]
    assert all(one.startswith("Day ") for one in said)
    assert "".join(said) == DIARY
    assert [one.ids[0] == tokenizer.begin_id for one in made] == [True] + [False] * (len(made) - 1)
    for one in made:
        assert all(0 < border < len(one.ids) for border in one.borders)
        assert all(
            spelled(tokenizer, one.ids[border:].tolist()).lstrip().startswith(("Day", "The"))
            for border in one.borders
        )


def test_the_new_turns_of_a_conversation_are_targets_and_the_old_ones_context(
    tokenizer: BaseTokenizer,
) -> None:
    turns = tuple(
        turn
        for n in range(4)
        for turn in (Turn(own=False, text=f"Ask {n}?"), Turn(own=True, text=f"Say {n}."))
    )
    source = SourceText(key=3, role=Role.NEW, turns=turns, fresh=(6, 8))
    (made,) = curate([source], tokenizer, most_tokens=512)
    assert learned(tokenizer, [made]) == "Say 3."
    assert spelled(tokenizer, made.ids.tolist()) == "Ask 2?Say 2.Ask 3?Say 3."


def test_what_others_wrote_belongs_to_no_document_in_the_rows(tokenizer: BaseTokenizer) -> None:
    (made,) = curate(
        [SourceText(key=9, role=Role.READING, text="A book.")], tokenizer, most_tokens=9
    )
    assert made.key == READING_KEY
