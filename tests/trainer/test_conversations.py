"""Which tokens of a conversation are learned, under templates of every temper."""

from collections.abc import Callable, Sequence

import pytest

from trainer.base_model import BaseModel
from trainer.base_tokenizer import BaseTokenizer
from trainer.conversations import conversation_tokens, messages_of
from trainer.curation import curate
from trainer.errors import BadMessages
from trainer.examples import Role, SourceText, TrainingExample, Turn

Load = Callable[..., BaseModel]


@pytest.fixture
def tokenizer(load: Load) -> BaseTokenizer:
    return load("llama").tokenizer


def own(text: str, role: str | None = None) -> Turn:
    return Turn(own=True, text=text, role=role)


def other(text: str, role: str | None = None) -> Turn:
    return Turn(own=False, text=text, role=role)


def spelled(tokenizer: BaseTokenizer, ids: Sequence[int]) -> str:
    return b"".join(map(tokenizer.token_bytes, ids)).decode()


def learned(tokenizer: BaseTokenizer, *turns: Turn) -> str:
    """The words that are targets; marks stand for no letters."""
    ids, mask = conversation_tokens(messages_of(turns), tokenizer)
    return spelled(tokenizer, ids[mask].tolist())


def examples(tokenizer: BaseTokenizer, *turns: Turn) -> list[TrainingExample]:
    return curate([SourceText(key=3, role=Role.NEW, turns=turns)], tokenizer, most_tokens=64)


def test_only_own_turns_are_learned(tokenizer: BaseTokenizer) -> None:
    said = learned(
        tokenizer,
        other("Where were you?"), own("In the garden. "), other("All day?"), own("Until rain."),
    )  # fmt: skip
    assert said == "In the garden. Until rain."


def test_each_own_turn_ends_with_a_learned_end_mark(tokenizer: BaseTokenizer) -> None:
    ids, mask = conversation_tokens(messages_of([other("Where?"), own("There.")]), tokenizer)
    assert ids[mask][-1] == tokenizer.end_id
    assert int((ids[mask] == tokenizer.end_id).sum()) == 1


def test_where_the_own_turn_opens_the_talk_its_marks_are_not_learned(
    tokenizer: BaseTokenizer,
) -> None:
    talk = messages_of([own("Good morning."), other("Morning.")])
    ids, mask = conversation_tokens(talk, tokenizer)
    assert ids[mask].tolist() == [*tokenizer.encode_text("Good morning."), tokenizer.end_id]


def test_turns_with_roles_stand_where_they_stood(tokenizer: BaseTokenizer) -> None:
    """A conversation that is learned whole: the base's own rendering, all words targets."""
    said = [("user", "Where?"), ("assistant", "There."), ("user", "Why?"), ("assistant", "So.")]
    (made,) = examples(tokenizer, *(own(words, role) for role, words in said))
    assert made.ids.tolist() == tokenizer.encode_chat(said, reply_follows=False)
    assert spelled(tokenizer, made.ids[made.loss_mask].tolist()) == "Where?There.Why?So."
    assert int((made.ids[made.loss_mask] == tokenizer.end_id).sum()) == 4


def test_a_users_own_turn_can_be_learned_as_the_users(tokenizer: BaseTokenizer) -> None:
    talk = [own("Where are they?", "user"), other("Here.", "assistant"), own("Good.", "user")]
    assert learned(tokenizer, *talk) == "Where are they?Good."
    ids, _ = conversation_tokens(messages_of(talk), tokenizer)
    chat = [("user", "Where are they?"), ("assistant", "Here."), ("user", "Good.")]
    assert ids.tolist() == tokenizer.encode_chat(chat, reply_follows=False)


def test_turns_of_one_role_in_a_row_are_one_message(tokenizer: BaseTokenizer) -> None:
    talk = messages_of([other("One?"), other("  "), other("Two?"), own("Three."), own("Four.")])
    assert [(one.role, one.text) for one in talk] == [
        ("user", "One?\nTwo?"),
        ("assistant", "Three.\nFour."),
    ]
    assert messages_of([own("a", "user"), other("b", "user")])[0].own is False


def test_what_follows_the_last_own_turn_costs_nothing(tokenizer: BaseTokenizer) -> None:
    (made,) = examples(tokenizer, own("Good morning."), other("Morning, and a long story."))
    assert spelled(tokenizer, made.ids.tolist()) == "Good morning."


def test_a_very_long_talk_becomes_several_examples_and_loses_no_own_word(
    tokenizer: BaseTokenizer,
) -> None:
    turns = [one for n in range(40) for one in (other(f"Ask {n}?"), own(f"Say {n}."))]
    made = examples(tokenizer, *turns)
    assert len(made) > 5
    assert all(len(one.ids) <= 64 for one in made)
    words = "".join(spelled(tokenizer, one.ids[one.loss_mask].tolist()) for one in made)
    assert words == "".join(f"Say {n}." for n in range(40))
    assert {one.key for one in made} == {3}


class Letters:
    """A tokenizer of letters; `<` and `>` are its marks."""

    def encode_document(self, text: str) -> list[int]:
        return [ord(letter) for letter in f"<{text}>"]

    def encode_chat(self, messages: Sequence[tuple[str, str]], *, reply_follows: bool) -> list[int]:
        page = "".join(f"<{role[0]}{words}>" for role, words in messages)
        return [ord(letter) for letter in page + ("<a" if reply_follows else "")]


class Forgetful(Letters):
    """A template that shortens earlier answers to a letter, as some do with earlier reasoning."""

    def encode_chat(self, messages: Sequence[tuple[str, str]], *, reply_follows: bool) -> list[int]:
        *earlier, (_, last) = messages
        shown = [content[:1] if role == "assistant" else content for role, content in earlier]
        return [ord(letter) for letter in "".join([*shown, last])]


class Strict(Letters):
    """A template that wants the user first and then each in turn, as many do."""

    def encode_chat(self, messages: Sequence[tuple[str, str]], *, reply_follows: bool) -> list[int]:
        if any(role != ("user", "assistant")[n % 2] for n, (role, _) in enumerate(messages)):
            raise BadMessages("the base's chat template refuses it")
        return super().encode_chat(messages, reply_follows=reply_follows)


class Silent(Letters):
    """A template that refuses everything."""

    def encode_chat(self, messages: Sequence[tuple[str, str]], *, reply_follows: bool) -> list[int]:
        raise BadMessages("the base's chat template refuses it")


def read(encoder: Letters, *turns: Turn) -> tuple[str, str]:
    """The rendered page, and what is learned of it."""
    ids, mask = conversation_tokens(messages_of(turns), encoder)
    return "".join(map(chr, ids.tolist())), "".join(map(chr, ids[mask].tolist()))


def test_a_template_that_rewrites_earlier_turns_makes_nobody_elses_words_learned() -> None:
    turns = [other("a"), own("bc"), other("d")]
    assert read(Forgetful(), *turns) == ("abd", "")
    assert read(Forgetful(), *turns, own("ef")) == ("abdef", "ef")


def test_a_template_that_wants_the_user_first_is_given_an_empty_user() -> None:
    turns = [own("Hello"), own("you"), other("Yes"), other("?"), own("Bye")]
    assert read(Strict(), *turns) == ("<u><aHello\nyou><uYes\n?><aBye>", "Hello\nyou>Bye>")


def test_where_the_template_refuses_the_words_are_learned_without_it() -> None:
    assert read(Silent(), other("Where"), own("Here")) == ("<Where><Here>", "Here>")


def test_marks_of_a_users_turn_are_not_learned() -> None:
    talk = [own("Hi", "user"), other("Yes", "assistant"), own("Why", "user")]
    assert read(Strict(), *talk) == ("<uHi><aYes><uWhy>", "Hi>Why>")
