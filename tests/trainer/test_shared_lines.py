"""Lines that stand in many texts of a night are learned from none of them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer import letter_making
from tests.trainer.test_overlap import FOOTER
from trainer.examples import Role, SourceText, Turn
from trainer.shared_lines import MANY_LEAST, MANY_MOST, many, without_shared_lines

PHONE = "Sent from my small telephone"


def letter(seed: int) -> str:
    """What is in no other one."""
    return "\n\n".join(letter_making.letter(seed).split("\n\n")[1:-1])


def texts(*contents: str, fresh: tuple[int, int] | None = None) -> list[SourceText]:
    return [
        SourceText(key=number, role=Role.NEW, text=content, fresh=fresh)
        for number, content in enumerate(contents)
    ]


def cut(*contents: str) -> list[str | None]:
    return [one.text for one in without_shared_lines(texts(*contents))]


def test_a_footer_in_many_letters_is_cut_and_the_letters_stay() -> None:
    letters = [letter(seed) for seed in range(MANY_LEAST)]
    assert cut(*(f"{one}\n\n{FOOTER}\n" for one in letters)) == [f"{one}\n" for one in letters]


def test_a_footer_in_a_few_stays() -> None:
    letters = [f"{letter(seed)}\n\n{FOOTER}" for seed in range(MANY_LEAST - 1)]
    assert cut(*letters, letter(50), letter(51)) == [*letters, letter(50), letter(51)]


def test_how_many_are_many_grows_with_the_night_to_a_bound() -> None:
    assert [many(count) for count in (1, 240, 400, 1900, 50_000)] == [
        MANY_LEAST,
        MANY_LEAST,
        20,
        95,
        MANY_MOST,
    ]


def test_capitals_and_marks_make_no_difference_and_greetings_stay() -> None:
    shown = [f"Dear Ada,\n{letter(n)}\n- {PHONE.upper()}!" for n in range(MANY_LEAST)]
    assert cut(*shown) == [f"Dear Ada,\n{letter(n)}\n" for n in range(MANY_LEAST)]


def test_what_stands_around_a_cut_line_stays_apart() -> None:
    heads = [f"{PHONE}\n\n{letter(n)}\n\n{PHONE}\n\nOne more thing." for n in range(MANY_LEAST)]
    assert cut(*heads) == [f"{letter(n)}\n\nOne more thing." for n in range(MANY_LEAST)]


def test_a_text_of_nothing_else_stays_whole() -> None:
    shown = [*[FOOTER] * MANY_LEAST, f"{FOOTER}\nYes."]
    assert cut(*shown) == shown


def test_what_is_new_of_a_text_that_grew_moves_with_it() -> None:
    known, new = letter(90), letter(91)
    grown = f"{PHONE}\n{known}\n{PHONE}\n{new}"
    others = texts(*(f"{letter(n)}\n{PHONE}" for n in range(MANY_LEAST)))
    (found, *_) = without_shared_lines(
        [*texts(grown, fresh=(grown.index(new), len(grown))), *others]
    )
    assert found.text == f"{known}\n{new}"
    assert found.fresh is not None
    assert found.text[slice(*found.fresh)] == new


def test_a_text_that_grew_by_such_a_line_only_stays_whole() -> None:
    grown = f"{letter(90)}\n{PHONE}"
    others = texts(*(f"{letter(n)}\n{PHONE}" for n in range(MANY_LEAST)))
    fresh = texts(grown, fresh=(grown.index(PHONE), len(grown)))
    assert without_shared_lines([*fresh, *others])[0] == fresh[0]


def test_in_conversations_only_what_the_user_says_is_counted_and_cut() -> None:
    quoted = f"{letter(90)}\n{FOOTER}"
    talks = [
        SourceText(
            key=number,
            role=Role.HELD_OUT,
            turns=(
                Turn(own=False, text=quoted),
                Turn(own=True, text=f"{letter(number)}\n{PHONE}"),
                Turn(own=True, text=PHONE),
            ),
        )
        for number in range(MANY_LEAST)
    ]
    for number, talk in enumerate(without_shared_lines(talks)):
        assert [turn.text for turn in talk.turns] == [quoted, f"{letter(number)}\n", PHONE]


LINES = st.lists(st.sampled_from([FOOTER, PHONE, "", "  ", "Yes.", "A line of my own", "\x85"]))


@settings(deadline=None)
@given(
    st.lists(st.tuples(LINES, st.integers(0, 400), st.integers(0, 400)), max_size=9),
    st.integers(1, 3),
)
def test_nothing_but_whole_lines_goes_and_nothing_becomes_empty(
    drawn: list[tuple[list[str], int, int]], copies: int
) -> None:
    given_texts = []
    for number, (lines, *places) in enumerate(drawn * copies):
        text = "\n".join(lines)
        start, end = sorted(min(place, len(text)) for place in places)
        given_texts += texts(text, fresh=(start, end) if number % 2 else None)
    for before, after in zip(given_texts, without_shared_lines(given_texts)):
        assert before.text is not None
        assert after.text is not None
        assert bool(after.text.strip()) == bool(before.text.strip())
        left = iter(before.text.splitlines(keepends=True))
        assert all(line in left for line in after.text.splitlines(keepends=True))
        if before.fresh is not None:
            assert after.fresh is not None
            assert 0 <= after.fresh[0] <= after.fresh[1] <= len(after.text)
            new, was = after.text[slice(*after.fresh)], before.text[slice(*before.fresh)]
            assert bool(new.strip()) == bool(was.strip())
