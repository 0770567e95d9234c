"""Which documents belong to one family, and which lines stand in many."""

from collections import Counter
from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.letter_making import chinese_letter, edited, letter
from trainer.overlap import (
    COMMON,
    MANY_LEAST,
    OF_SMALLER,
    SHARED_RUNS,
    Outline,
    boilerplate,
    families,
    outline,
    related,
    shared_shares,
    words_by_line,
)

FOOTER = """This letter is meant for whom it is addressed to and nobody else at all.
If it has come to you by the river, please dry it by the stove and send it on.
The barge has neither a telephone nor a door bell, so knock on the hatch loudly."""


PARAGRAPHS = [
    *(part for seed in range(4) for part in letter(seed).split("\n\n")),
    edited(letter(1), 7, every=15),
    *FOOTER.splitlines(),
    "Yes.",
    "",
]


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
    assert all(0.4 < share < 0.9 for share in shared_shares(found.values(), common))
    others = outlines([FOOTER, letter(99, sentences=4)])
    bare, unlike = shared_shares(others.values(), common)
    assert bare == 1.0
    assert unlike < 0.4


def test_lines_of_a_few_are_no_boilerplate() -> None:
    found = outlines([f"{letter(seed)}\n{FOOTER}" for seed in range(MANY_LEAST - 1)])
    common = boilerplate(found.values())
    assert shared_shares([outline(words_by_line(FOOTER))], common) == [0]


def test_who_is_related_to_whom_is_handed_on() -> None:
    assert families([5, 2, 9, 7], [(9, 5), (7, 9)]) == {5: 5, 2: 2, 9: 5, 7: 5}


def test_nothing_and_empty_texts_are_related_to_nothing() -> None:
    assert family_of([]) == {}
    assert family_of(["", "", "one"]) == {0: 0, 1: 1, 2: 2}
    assert shared_shares([outline([])], boilerplate([])) == [0]
    assert shared_shares([], boilerplate([])) == []


def plainly_related(drawn: dict[int, Outline], common: set[int]) -> set[tuple[int, int]]:
    """As `related` says it, one pair after the other."""
    samples = {
        number: {
            run
            for run, *lines in zip(each.runs.tolist(), *each.run_lines.tolist())
            if not common.intersection(lines)
        }
        for number, each in drawn.items()
    }
    owners = Counter(run for sample in samples.values() for run in sample)
    found = set()
    for one, other in combinations(drawn, 2):
        limit = int(min(drawn[one].share, drawn[other].share) * 2**32)
        shared = {run for run in samples[one] & samples[other] if owners[run] <= COMMON}
        smaller = min(sum(run < limit for run in samples[each]) for each in (one, other))
        if len(shared) >= SHARED_RUNS and len(shared) >= OF_SMALLER * smaller:
            found.add((one, other))
    return found


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.sampled_from(PARAGRAPHS), max_size=6), max_size=24), st.integers(1, 20))
def test_all_at_once_is_what_each_pair_says(drawn: list[list[str]], least: int) -> None:
    found = outlines(["\n".join(some) for some in drawn])
    lines = Counter(line for each in found.values() for line in each.lines.tolist())
    common = np.asarray(sorted(k for k, count in lines.items() if count >= least), dtype=np.uint32)
    assert set(related(found, common)) == plainly_related(found, set(common.tolist()))
    assert shared_shares(found.values(), common) == [
        sum(
            size
            for line, size in zip(each.lines.tolist(), each.line_characters.tolist())
            if line in common
        )
        / max(1, each.characters)
        for each in found.values()
    ]


def test_no_text_stands_in_a_repr() -> None:
    assert "river" not in repr(outline(words_by_line(FOOTER)))
