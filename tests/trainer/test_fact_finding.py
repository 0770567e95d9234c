"""Texts in, facts out: what stays, what is left out for what, and who belongs together."""

from collections.abc import Mapping

import pytest

from storage.records import SpokenTurn
from tests.trainer.letter_making import edited, letter, shuffled
from tests.trainer.test_overlap import FOOTER
from tests.trainer.written_texts import machine_made
from trainer.curation_facts import GivenText, TextFacts
from trainer.fact_finding import FactFinding
from trainer.quality import OWN, REASONS


def facts_of(*texts: GivenText) -> dict[int, TextFacts]:
    finding = FactFinding()
    for text in texts:
        finding.add(text)
    return {one.document_id: one for one in finding.facts()}


def given(
    number: int,
    text: str,
    *,
    at: float = 0.0,
    settled: bool = False,
    own: bool = True,
    turns: tuple[SpokenTurn, ...] = (),
    about: Mapping[str, str] | None = None,
) -> GivenText:
    return GivenText(
        document_id=number,
        settled=settled,
        modified_at=at,
        text=text,
        own=own,
        turns=turns,
        about=about or {},
    )


def reply(number: int, quoted: str, answer: str) -> GivenText:
    text = f"{quoted}\n{answer}"
    turns = (
        SpokenTurn(own=False, speaker="A", start=0, end=len(quoted)),
        SpokenTurn(own=True, speaker="me", start=len(quoted) + 1, end=len(text)),
    )
    return given(number, text, turns=turns)


def test_letters_stay_and_are_the_best_there_is() -> None:
    facts = facts_of(*(given(n, letter(n)) for n in range(1, 40)))
    assert {one.reason for one in facts.values()} == {None}
    assert {one.language for one in facts.values()} == {"en"}
    assert all(OWN < one.quality <= 1 and one.family == one.document_id for one in facts.values())


def test_of_copies_the_newest_stays_and_all_others_are_named() -> None:
    text = letter(1)
    facts = facts_of(
        given(1, text, at=10),
        given(2, shuffled(text, 3), at=30),
        given(3, edited(text, 4), at=20),
        given(4, letter(2), at=40),
    )
    assert [facts[n].twin_of for n in (1, 2, 3, 4)] == [2, None, 2, None]
    assert [facts[n].reason for n in (1, 2, 3, 4)] == ["near_duplicate", None] * 2
    assert [facts[n].family for n in (1, 2, 3, 4)] == [1, 1, 1, 4]


def test_what_was_learned_stays_before_a_newer_copy_and_is_never_left_out_itself() -> None:
    text = letter(1)
    facts = facts_of(
        given(1, text, at=1, settled=True),
        given(2, edited(text, 1), at=9),
        given(3, text, at=5, settled=True),
    )
    assert (facts[1].reason, facts[3].reason) == (None, None)
    assert facts[2].reason == "near_duplicate"
    assert facts[2].twin_of in (1, 3)
    assert {one.family for one in facts.values()} == {1}


def test_two_answers_to_one_mail_are_no_copies() -> None:
    mine = (
        "Yes, on Friday, if the trains run at all.",
        "No, and I will tell you why I cannot come.",
    )
    facts = facts_of(reply(1, letter(1), mine[0]), reply(2, letter(1), mine[1]))
    assert {one.reason for one in facts.values()} == {None}


def test_each_machine_made_text_has_its_reason_and_no_twin() -> None:
    texts = [(rule, text) for rule, texts in machine_made().items() for text in texts]
    facts = facts_of(
        *(given(n, text) for n, (_, text) in enumerate(texts)),
        *(given(1000 + n, text) for n, (_, text) in enumerate(texts)),
    )
    for number, (rule, _) in enumerate(texts):
        assert (facts[number].reason, facts[1000 + number].reason) == (rule, rule)
        assert (facts[number].twin_of, facts[number].family) == (None, number)


def test_a_template_in_many_files_counts_nothing_and_a_file_of_nothing_else_is_left_out() -> None:
    letters = [given(n, f"{letter(n)}\n\n{FOOTER}") for n in range(1, 13)]
    forms = [given(n, f"{FOOTER}\n\nSigned on the {n}th.") for n in range(20, 23)]
    facts = facts_of(*letters, *forms, given(40, letter(40)))
    assert {facts[n].reason for n in range(1, 13)} == {None}
    assert max(facts[n].quality for n in range(1, 13)) < facts[40].quality
    assert {facts[n].reason for n in range(20, 23)} <= {"boilerplate", "near_duplicate"}
    assert "boilerplate" in {facts[n].reason for n in range(20, 23)}


def test_what_others_wrote_comes_after_the_users_own() -> None:
    facts = facts_of(
        given(1, letter(1), own=False), given(2, "Rain all day, and I read by the stove.")
    )
    assert facts[1].quality < OWN <= facts[2].quality
    assert facts[1].reason is None


def test_every_reason_has_words_and_no_text_stands_in_a_repr() -> None:
    text = given(1, letter(1))
    (facts,) = facts_of(text).values()
    assert {"boilerplate", "near_duplicate", "not_judged"} <= REASONS.keys()
    assert "Zoe" not in repr(text) + repr(facts)


@pytest.mark.parametrize(
    "grown", ["\ufdfa" * 200_000, "a\n" * 200_000, "\ud800" * 1000, "<[{" * 9000]
)
def test_a_text_made_to_be_slow_is_judged_as_any_other(grown: str) -> None:
    facts = facts_of(given(1, grown, settled=True), given(2, letter(2)))
    assert (facts[1].family, facts[2].reason) == (1, None)


def test_without_texts_there_are_no_facts() -> None:
    assert facts_of() == {}
