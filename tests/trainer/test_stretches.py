"""Long conversations are cut between turns; the last ones before a cut are context after it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import BadMessages
from trainer.examples import Role, SourceText, Turn
from trainer.stretches import stretches


class Letters:
    """A tokenizer of letters, with a mark at each end of a turn."""

    def encode_text(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def encode_chat(self, messages: Sequence[tuple[str, str]], *, reply_follows: bool) -> list[int]:
        page = "".join(f"<{content}>" for _, content in messages)
        return [ord(letter) for letter in page]


class Silent(Letters):
    def encode_chat(self, messages: Sequence[tuple[str, str]], *, reply_follows: bool) -> list[int]:
        raise BadMessages("the base's chat template refuses it")


def mine(text: str, role: str | None = None) -> Turn:
    return Turn(own=True, text=text, role=role)


def theirs(text: str, role: str | None = None) -> Turn:
    return Turn(own=False, text=text, role=role)


def cut(
    turns: Sequence[Turn], most: int, fresh: tuple[int, int] | None = None
) -> list[list[tuple[bool, str]]]:
    source = SourceText(key=1, role=Role.NEW, turns=tuple(turns), fresh=fresh)
    return [[(t.own, t.text) for t in one] for one in stretches(source, Letters(), most)]


def test_a_conversation_that_fits_is_whole_up_to_the_last_own_word() -> None:
    talk = [theirs("hi"), mine("yes"), theirs("bye")]
    assert cut(talk, 64) == [[(False, "hi"), (True, "yes")]]


def test_a_long_one_is_cut_between_turns_and_goes_on_after_what_was_said_last() -> None:
    talk = [theirs("ab"), mine("x" * 10), theirs("cd"), mine("y" * 10), theirs("ef"), mine("z")]
    assert cut(talk, 24) == [
        [(False, "ab"), (True, "x" * 10)],
        [(False, "cd"), (True, "y" * 10), (False, "ef"), (True, "z")],
    ]


def test_of_a_conversation_that_grew_the_new_turns_are_learned_after_the_last_known_ones() -> None:
    talk = [theirs("a"), mine("b"), theirs("c"), mine("d"), theirs("e"), mine("f")]
    assert cut(talk, 64, (4, 6)) == [
        [(False, "c"), (False, "d"), (False, "e"), (True, "f")],
    ]
    assert cut(talk, 64, (6, 6)) == []


def test_an_own_turn_after_a_known_own_turn_is_still_learned() -> None:
    """They would be one message, of which nothing would be learned."""
    talk = [theirs("a"), mine("b"), mine("c")]
    assert cut(talk, 64, (2, 3)) == [[(False, "a"), (True, "c")]]


def test_what_others_said_at_length_is_shortened_to_its_end() -> None:
    long = "First of all. " * 20 + "And will you come?"
    ((context, answer),) = cut([theirs(long), mine("Yes.")], 60)
    assert long.endswith(context[1])
    assert context[1].startswith(("First", "And"))
    assert len(context[1]) <= 30
    assert answer == (True, "Yes.")


def test_roles_that_a_conversation_has_are_kept() -> None:
    talk = (mine("ask", "user"), theirs("answer", "assistant"), mine("more", "user"))
    source = SourceText(key=1, role=Role.NEW, turns=talk, fresh=(2, 3))
    ((context, answer, more),) = stretches(source, Letters(), 64)
    assert (context.role, answer.role, more.role) == ("user", "assistant", "user")
    assert (context.own, answer.own, more.own) == (False, False, True)


def test_a_template_that_refuses_is_no_reason_to_stop() -> None:
    source = SourceText(key=1, role=Role.NEW, turns=(theirs("a"), mine("b")))
    assert len(list(stretches(source, Silent(), 64))) == 1


talks = st.lists(st.builds(Turn, own=st.booleans(), text=st.text("abc ", max_size=40)), max_size=30)


@given(turns=talks, most=st.integers(8, 80), known=st.integers(0, 10))
def test_every_own_new_turn_is_learned_exactly_once(
    turns: list[Turn], most: int, known: int
) -> None:
    start = min(known, len(turns))
    made = cut(turns, most, (start, len(turns)))
    learned = [text for one in made for own, text in one if own]
    assert learned == [one.text for one in turns[start:] if one.own and one.text.strip()]


@pytest.mark.parametrize("most", [30, 60])
def test_no_stretch_is_longer_than_a_row_unless_one_turn_is(most: int) -> None:
    turns = [turn for n in range(30) for turn in (theirs("ask"), mine(f"said {n}"))]
    for one in cut(turns, most):
        assert sum(len(text) + 2 for _, text in one) <= most
