"""Every document gets one role a night, and over the nights all of them are learned."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.night_planning import (
    NightPlan,
    PlanPolicy,
    TooLittle,
    Waiting,
    about_tokens,
    characters_of_a_night,
    plan_night,
    states_after,
)
from storage.records import DocumentState

POLICY = PlanPolicy()
NEW, HELD_OUT, STABLE, LEARNED = (
    DocumentState.NEW, DocumentState.HELD_OUT, DocumentState.STABLE, DocumentState.LEARNED,
)  # fmt: skip


def document(
    number: int, state: DocumentState = NEW, *, version: int = 1, characters: int = 4000
) -> Waiting:
    return Waiting(
        document_id=number, item_id=number, version=version, state=state, characters=characters
    )


def many(
    count: int, state: DocumentState = NEW, *, start: int = 1, version: int = 1
) -> list[Waiting]:
    return [document(start + n, state, version=version) for n in range(count)]


def planned(documents: Iterable[Waiting], *, seed: int = 1) -> NightPlan:
    plan = plan_night(list(documents), POLICY, seed=seed)
    assert isinstance(plan, NightPlan)
    return plan


def test_more_than_a_night_can_read_waits_for_the_next_ones_the_oldest_first() -> None:
    room = characters_of_a_night(10.0, seconds=3600.0, passes=4)
    assert room == 24_000
    policy = replace(POLICY, train_most_characters=room)
    waiting = {one.document_id: one for one in many(60)}
    trained: list[int] = []
    nights = 0
    while True:
        plan = plan_night(list(waiting.values()), policy, seed=nights)
        if isinstance(plan, TooLittle):
            break
        nights += 1
        new = [i for i in plan.train if waiting[i].state is NEW]
        assert 1 <= len(new) <= 6
        assert new == sorted(new)
        trained += plan.train
        for number, state in states_after(plan).items():
            waiting[number] = replace(waiting[number], state=state)
    assert nights >= 5
    assert len(trained) == len(set(trained)), "no document is new twice"


def test_without_a_known_rate_a_night_takes_all_and_with_little_room_one() -> None:
    assert characters_of_a_night(None, seconds=1.0, passes=1) is None
    assert len(planned(many(60)).train) > 40
    plan = plan_night(many(60), replace(POLICY, train_most_characters=1), seed=1)
    assert isinstance(plan, NightPlan)
    assert len(plan.train) == 1


anything = st.lists(
    st.builds(
        Waiting,
        document_id=st.integers(1, 10**6),
        item_id=st.integers(1, 10**6),
        version=st.integers(1, 3),
        state=st.sampled_from([NEW, NEW, NEW, HELD_OUT, STABLE, LEARNED]),
        characters=st.integers(0, 50_000),
    ),
    max_size=80,
    unique_by=lambda one: one.document_id,
)


# --------------------------------------------------------------------------- one night


@settings(deadline=None)
@given(documents=anything, seed=st.integers(0, 99))
def test_no_document_has_two_roles_and_none_that_is_new_has_none(
    documents: list[Waiting], seed: int
) -> None:
    plan = plan_night(documents, POLICY, seed=seed)
    if isinstance(plan, TooLittle):
        return
    roles = [*plan.train, *plan.replay, *plan.held_out, *plan.stable]
    assert len(roles) == len(set(roles))
    state = {one.document_id: one.state for one in documents}
    version = {one.document_id: one.version for one in documents}
    assert plan.all_ids == set(state)
    assert set(plan.newly_stable) <= set(plan.stable)
    assert all(state[number] in (NEW, HELD_OUT) for number in plan.train)
    assert all(state[number] is LEARNED for number in plan.replay)
    for number in (*plan.held_out, *plan.newly_stable):
        assert state[number] is HELD_OUT or (state[number] is NEW and version[number] == 1)
    assert len(plan.held_out) >= POLICY.judges_least


@settings(deadline=None)
@given(documents=anything, seed=st.integers(0, 99))
def test_the_same_seed_gives_the_same_plan(documents: list[Waiting], seed: int) -> None:
    assert plan_night(documents, POLICY, seed=seed) == plan_night(documents, POLICY, seed=seed)


def test_another_seed_holds_out_other_documents() -> None:
    documents = many(200)
    assert planned(documents, seed=1).held_out != planned(documents, seed=2).held_out


def test_what_judges_is_new_and_what_judges_every_night_is_older() -> None:
    plan = planned(many(100))
    assert len(plan.held_out) == 10
    assert len(plan.stable) == 5
    assert min(plan.held_out) > 50 >= max(plan.stable)
    assert len(plan.train) == 85


def test_small_nights_still_have_judges_and_large_ones_not_too_many() -> None:
    assert len(planned(many(8)).held_out) == 4
    assert len(planned(many(3000)).held_out) == 64
    assert len(planned(many(3000)).stable) == 48


def test_the_stable_judges_do_not_grow_without_end() -> None:
    plan = planned([*many(48, STABLE), *many(100, start=100)])
    assert plan.newly_stable == ()
    assert len(plan.stable) == 48


def test_edited_documents_never_judge_for_they_may_be_known() -> None:
    documents = [*many(20, version=2), *many(6, start=100)]
    plan = planned(documents)
    assert set(plan.train) >= set(range(1, 21))
    assert set(plan.held_out) <= set(range(100, 106))


def test_where_too_few_are_new_the_last_judges_judge_again() -> None:
    plan = planned([*many(9, HELD_OUT), *many(20, start=50, version=2)])
    assert plan.held_out == (6, 7, 8, 9)
    assert set(plan.train) == {*range(1, 6), *range(50, 70)}


def test_replay_is_bounded_and_drawn_from_what_was_learned() -> None:
    plan = planned([*many(3000, LEARNED), *many(20, start=5000)])
    assert len(plan.replay) == POLICY.replay_most
    assert max(plan.replay) <= 3000


# --------------------------------------------------------------------------- too little


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([], TooLittle(documents=0, tokens=0, missing_documents=8, missing_tokens=2000)),
        (many(5), TooLittle(documents=5, tokens=5000, missing_documents=3, missing_tokens=0)),
        (
            [replace(one, characters=400) for one in many(10)],
            TooLittle(documents=10, tokens=1000, missing_documents=0, missing_tokens=1000),
        ),
        (
            many(20, version=2),
            TooLittle(documents=20, tokens=20_000, missing_documents=3, missing_tokens=0),
        ),
        (
            [*many(2, HELD_OUT), *many(20, start=50, version=2)],
            TooLittle(documents=20, tokens=20_000, missing_documents=1, missing_tokens=0),
        ),
        (
            many(50, LEARNED),
            TooLittle(documents=0, tokens=0, missing_documents=8, missing_tokens=2000),
        ),
    ],
)
def test_a_night_without_enough_text_says_how_much_is_missing(
    documents: list[Waiting], expected: TooLittle
) -> None:
    assert plan_night(documents, POLICY, seed=1) == expected


def test_the_sentence_names_the_numbers_and_keeps_the_adapter() -> None:
    sentence = TooLittle(documents=3, tokens=1250, missing_documents=5, missing_tokens=750).sentence
    assert sentence == (
        "There is too little new text (3 documents, about 1,250 tokens): about 750 more tokens of "
        "new text and 5 more new documents are needed. The adapter in use stays."
    )


def test_just_enough_is_enough() -> None:
    enough = [replace(one, characters=1000) for one in many(8)]
    assert isinstance(plan_night(enough, POLICY, seed=1), NightPlan)
    assert about_tokens(8000) == POLICY.minimum_tokens


# --------------------------------------------------------------------------- many nights


@dataclass
class Vault:
    """Documents and their states over the nights, as storage keeps them."""

    documents: dict[int, Waiting] = field(default_factory=dict)

    def write(self, count: int) -> None:
        for _ in range(count):
            number = len(self.documents) + 1
            self.documents[number] = document(number)

    def night(self, seed: int) -> NightPlan | TooLittle:
        plan = plan_night(list(self.documents.values()), POLICY, seed=seed)
        if isinstance(plan, NightPlan):
            for number, state in states_after(plan).items():
                self.documents[number] = replace(self.documents[number], state=state)
        return plan

    def numbers(self, state: DocumentState) -> set[int]:
        return {n for n, one in self.documents.items() if one.state is state}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 60), min_size=2, max_size=8))
def test_over_the_nights_everything_is_learned_but_the_judges(written: list[int]) -> None:
    vault = Vault()
    for seed, count in enumerate(written):
        vault.write(count)
        waiting = vault.numbers(HELD_OUT) | vault.numbers(NEW)
        plan = vault.night(seed)
        if isinstance(plan, TooLittle):
            assert vault.numbers(HELD_OUT) | vault.numbers(NEW) == waiting
            continue
        held_out = set(plan.held_out)
        assert vault.numbers(HELD_OUT) == held_out
        assert vault.numbers(NEW) == set()
        assert waiting - held_out - set(plan.newly_stable) <= vault.numbers(LEARNED)
        assert len(vault.numbers(STABLE)) <= POLICY.stable_most


def test_what_was_held_out_is_trained_on_in_the_next_night() -> None:
    vault = Vault()
    vault.write(40)
    first = vault.night(1)
    assert isinstance(first, NightPlan)
    vault.write(40)
    second = vault.night(2)
    assert isinstance(second, NightPlan)
    assert set(first.held_out) <= set(second.train)
    assert not set(first.held_out) & set(second.held_out)
    assert set(first.stable) <= set(second.stable)
