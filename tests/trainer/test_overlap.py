"""Which documents belong to one family, and which lines stand in many."""

from tests.trainer.letter_making import chinese_letter, edited, letter
from trainer.overlap import (
    MANY_LEAST,
    Outline,
    boilerplate,
    families,
    outline,
    related,
    shared_share,
    words_by_line,
)

FOOTER = """This letter is meant for whom it is addressed to and nobody else at all.
If it has come to you by the river, please dry it by the stove and send it on.
The barge has neither a telephone nor a door bell, so knock on the hatch loudly."""


def outlines(texts: list[str]) -> dict[int, Outline]:
    return {number: outline(words_by_line(text)) for number, text in enumerate(texts)}


def family_of(texts: list[str]) -> dict[int, int]:
    found = outlines(texts)
    return families(found, related(found, boilerplate(found.values())))


def test_letters_of_one_author_are_no_family() -> None:
    texts = [letter(seed) for seed in range(120)] + [chinese_letter(seed) for seed in range(60)]
    family = family_of(texts)
    assert sum(head != number for number, head in family.items()) <= 2


def test_a_letter_and_a_file_that_holds_it_are_one() -> None:
    texts = [letter(seed) for seed in range(60)]
    everything = "\n\n".join(texts[20:55])
    family = family_of([*texts[:40], everything])
    assert {number for number, head in family.items() if head == family[40]} == {*range(20, 41)}
    assert family[40] == 20


def test_a_long_file_is_compared_with_a_short_note() -> None:
    chapters = [letter(seed, sentences=400) for seed in range(6)]
    note = chapters[3][5000:5800]
    family = family_of(["\n\n".join(chapters), *(letter(1000 + n) for n in range(10)), note])
    assert family[11] == 0
    assert [family[number] for number in range(1, 11)] == list(range(1, 11))


def test_an_edited_quotation_is_of_the_family() -> None:
    quoted = edited(letter(1), 7, every=15)
    answer = "\n".join(f"> {line}" for line in quoted.splitlines()) + "\n\n" + letter(2)
    assert family_of([letter(3), letter(1), answer]) == {0: 0, 1: 1, 2: 1}


def test_a_footer_in_many_makes_no_family_and_is_known_as_boilerplate() -> None:
    texts = [f"{letter(seed, sentences=4)}\n\n{FOOTER}" for seed in range(MANY_LEAST + 4)]
    found = outlines(texts)
    common = boilerplate(found.values())
    assert family_of(texts) == {number: number for number in range(len(texts))}
    assert all(0.4 < shared_share(each, common) < 0.9 for each in found.values())
    bare = outline(words_by_line(FOOTER))
    assert shared_share(bare, common) == 1.0
    assert shared_share(outline(words_by_line(letter(99, sentences=4))), common) < 0.4


def test_lines_of_a_few_are_no_boilerplate() -> None:
    found = outlines([f"{letter(seed)}\n{FOOTER}" for seed in range(MANY_LEAST - 1)])
    common = boilerplate(found.values())
    assert shared_share(outline(words_by_line(FOOTER)), common) == 0


def test_who_is_related_to_whom_is_handed_on() -> None:
    assert families([5, 2, 9, 7], [(9, 5), (7, 9)]) == {5: 5, 2: 2, 9: 5, 7: 5}


def test_nothing_and_empty_texts_are_related_to_nothing() -> None:
    assert family_of([]) == {}
    assert family_of(["", "", "one"]) == {0: 0, 1: 1, 2: 2}
    assert shared_share(outline([]), boilerplate([])) == 0


def test_no_text_stands_in_a_repr() -> None:
    assert "river" not in repr(outline(words_by_line(FOOTER)))
