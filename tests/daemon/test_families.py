"""Texts that overlap stand on one side of a night, over all nights, and none waits for ever."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.families import draw_families, families_of, last_families
from daemon.night_planning import (
    NIGHT_FULL,
    READING_FULL,
    TOO_LITTLE,
    NightPlan,
    PlanPolicy,
    TooLittle,
    Waiting,
    plan_night,
    reading_per_own,
    states_after,
    why_waiting,
)
from storage.records import DocumentState

NEW, HELD_OUT, STABLE, LEARNED = (
    DocumentState.NEW, DocumentState.HELD_OUT, DocumentState.STABLE, DocumentState.LEARNED,
)  # fmt: skip
POLICY = PlanPolicy()
LEFT_OUT = "machine_made"


def text(
    number: int, state: DocumentState = NEW, *, characters: int = 4000, **more: object
) -> Waiting:
    return Waiting(
        document_id=number, item_id=number, version=1, state=state, characters=characters,
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def texts(first: int, last: int, **more: object) -> list[Waiting]:
    return [text(number, **more) for number in range(first, last + 1)]  # type: ignore[arg-type]


def planned(documents: Sequence[Waiting], policy: PlanPolicy = POLICY, seed: int = 1) -> NightPlan:
    plan = plan_night(documents, policy, seed=seed)
    assert isinstance(plan, NightPlan)
    return plan


# --------------------------------------------------------------------------- families


def test_a_family_is_as_young_as_its_youngest_member() -> None:
    documents = [text(1, family=1), text(2), text(3), text(4, family=1)]
    families = families_of(documents)
    assert [[one.document_id for one in family.members] for family in families] == [
        [2],
        [3],
        [1, 4],
    ]
    older, last = last_families(families, 2)
    assert [len(family.members) for family in (*older, *last)] == [1, 1, 2]
    assert len(last) == 1


@given(
    sizes=st.lists(st.integers(1, 6), max_size=20), room=st.integers(0, 20), seed=st.integers(0, 9)
)
def test_what_is_drawn_are_whole_families_within_the_room(
    sizes: list[int], room: int, seed: int
) -> None:
    documents = [
        text(10 * n + k, family=10 * n) for n, size in enumerate(sizes) for k in range(size)
    ]
    families = families_of(documents)
    drawn = draw_families(families, room, random.Random(seed))
    assert all(family in families for family in drawn)
    count = sum(len(family.members) for family in drawn)
    assert count <= room
    left = [len(family.members) for family in families if family not in drawn]
    assert all(size > room - count for size in left)


def test_who_overlaps_with_what_was_learned_does_not_judge() -> None:
    copies = [text(100 + n, family=n) for n in range(1, 6)]
    plan = planned([*texts(1, 5, state=LEARNED), *texts(20, 39), *copies])
    assert not {100 + n for n in range(1, 6)} & {*plan.held_out, *plan.stable}
    assert {100 + n for n in range(1, 6)} <= set(plan.train)


def test_judges_whose_text_turns_up_in_new_text_are_learned_with_it() -> None:
    stable, judged = text(1, STABLE), text(2, HELD_OUT)
    documents = [stable, judged, *texts(20, 39), text(50, family=1), text(51, family=2)]
    plan = planned(documents)
    assert {1, 2, 50, 51} <= set(plan.train)
    assert states_after(plan)[1] is LEARNED


def test_last_nights_judges_judge_again_with_the_new_texts_that_overlap_them() -> None:
    edited = [replace(one, version=2) for one in texts(20, 39)]
    judged = [text(n, HELD_OUT, family=n) for n in range(1, 5)]
    plan = planned([*judged, *edited, text(50, family=4)])
    assert set(plan.held_out) == {2, 3, 4, 50}
    assert 1 in plan.train


def test_one_large_family_leaves_the_night_without_judges_and_says_so() -> None:
    plan = plan_night(texts(1, 20, family=1), POLICY, seed=1)
    assert isinstance(plan, TooLittle)
    assert plan.missing_documents == POLICY.judges_least


def test_where_families_are_large_the_smallest_judge() -> None:
    documents = [text(10 * n + k, family=n) for n in range(1, 9) for k in range(5)]
    plan = planned(documents)
    assert len(plan.held_out) == 5
    assert len({one // 10 for one in plan.held_out}) == 1


# --------------------------------------------------------------------------- what is left out


def test_what_is_left_out_has_no_role_and_says_why() -> None:
    documents = [
        *texts(1, 20), text(30, left_out=LEFT_OUT), text(31, LEARNED, left_out=LEFT_OUT),
        text(32, HELD_OUT, left_out=LEFT_OUT), text(33, STABLE, left_out=LEFT_OUT),
    ]  # fmt: skip
    plan = planned(documents)
    assert plan.all_ids == set(range(1, 21))
    assert why_waiting(documents, plan) == {30: LEFT_OUT}


def test_what_is_left_out_does_not_count_towards_the_minimum() -> None:
    plan = plan_night([*texts(1, 7), *texts(8, 30, left_out=LEFT_OUT)], POLICY, seed=1)
    assert isinstance(plan, TooLittle)
    assert (plan.documents, plan.missing_documents) == (7, 1)
    assert set(why_waiting(texts(1, 7), plan).values()) == {TOO_LITTLE}


# --------------------------------------------------------------------------- the best first


def test_when_the_night_is_short_the_best_comes_first_after_the_one_that_waits_longest() -> None:
    documents = [
        replace(one, quality=0.9 if one.document_id % 4 == 0 else 0.3) for one in texts(1, 60)
    ]
    plan = planned(documents, replace(POLICY, train_most_characters=5 * 4000))
    new = list(plan.train)
    pool = [one for one in documents if one.document_id not in {*plan.held_out, *plan.stable}]
    assert new[0] == pool[0].document_id
    best = [one.document_id for one in pool[1:] if one.quality > 0.5]
    assert new[1:] == best[:4]
    why = why_waiting(documents, plan)
    assert set(why.values()) == {NIGHT_FULL}
    assert set(why) == {one.document_id for one in pool} - set(new)


def test_a_text_that_no_night_has_room_for_gets_one_of_its_own() -> None:
    documents = [text(1, characters=10**7), *texts(2, 60)]
    documents[0] = replace(documents[0], version=2)
    plan = planned(documents, replace(POLICY, train_most_characters=20_000))
    assert plan.train == (1,)


# --------------------------------------------------------------------------- reading


def test_what_others_wrote_is_read_beside_and_never_judges() -> None:
    documents = [*texts(1, 20), *texts(21, 25, own=False, characters=2000)]
    plan = planned(documents)
    assert plan.reading == (21, 22, 23, 24, 25)
    assert not set(plan.reading) & {*plan.train, *plan.held_out, *plan.stable}
    assert {states_after(plan)[n] for n in plan.reading} == {LEARNED}
    assert plan.all_ids >= set(plan.reading)


def test_what_others_wrote_does_not_count_towards_the_minimum() -> None:
    plan = plan_night([*texts(1, 3), *texts(4, 50, own=False)], POLICY, seed=1)
    assert isinstance(plan, TooLittle)
    assert plan.documents == 3


def test_not_more_is_read_than_half_of_the_general_text_holds() -> None:
    documents = [*texts(1, 20), *texts(21, 90, own=False, quality=0.4), text(91, own=False)]
    plan = planned(documents)
    learned = 4000 * len(plan.train)
    assert 0.5 < 4000 * len(plan.reading) / (POLICY.reading_per_own * learned) <= 1
    assert {21, 91} <= set(plan.reading)  # what waits longest, and the best
    assert set(why_waiting(documents, plan).values()) == {READING_FULL}


def test_a_recipe_without_general_text_reads_nothing_of_others() -> None:
    assert reading_per_own(passes=4, replay=0.0, general=0.0) == 0
    assert round(reading_per_own(passes=4, replay=0.10, general=0.25), 2) == 0.77
    plan = planned([*texts(1, 20), text(21, own=False)], replace(POLICY, reading_per_own=0.0))
    assert plan.reading == ()


def test_who_overlaps_with_what_others_wrote_does_not_judge() -> None:
    quoting = [text(100 + n, family=21) for n in range(3)]
    plan = planned([*texts(1, 20), text(21, own=False), *quoting])
    assert {100, 101, 102} <= set(plan.train)


# --------------------------------------------------------------------------- what has grown


def test_of_what_has_grown_the_new_stretch_is_in_the_plan_and_counts_by_its_size() -> None:
    grown = [replace(one, version=2, fresh=(3000, 4000), characters=1000) for one in texts(30, 34)]
    plan = planned([*texts(1, 20), *grown])
    assert plan.fresh == tuple((n, 3000, 4000) for n in range(30, 35))
    nothing_new = [replace(one, fresh=(4000, 4000), characters=0) for one in grown]
    lack = plan_night([*texts(1, 7), *nothing_new], POLICY, seed=1)
    assert isinstance(lack, TooLittle)
    assert lack.documents == 7
    assert set(planned([*texts(1, 20), *nothing_new]).train) >= set(range(30, 35))


# --------------------------------------------------------------------------- many nights


@dataclass
class Vault:
    """Documents and their states over the nights, as storage keeps them."""

    documents: dict[int, Waiting] = field(default_factory=dict)
    trained: set[int] = field(default_factory=set)  # families of which something was trained on

    def write(self, new: Sequence[Waiting]) -> None:
        for one in new:
            number = len(self.documents) + 1
            self.documents[number] = replace(one, document_id=number, item_id=number)

    def night(self, seed: int, policy: PlanPolicy) -> NightPlan | None:
        plan = plan_night(list(self.documents.values()), policy, seed=seed)
        if isinstance(plan, TooLittle):
            return None
        for number, state in states_after(plan).items():
            self.documents[number] = replace(self.documents[number], state=state)
        return plan

    def sides(self, *numbers: int) -> set[int]:
        return {self.documents[number].side for number in numbers}


anything = st.lists(
    st.builds(
        Waiting,
        document_id=st.just(0),
        item_id=st.just(0),
        version=st.sampled_from([1, 1, 1, 2]),
        state=st.just(NEW),
        characters=st.integers(500, 9000),
        own=st.sampled_from([True, True, True, False]),
        quality=st.floats(0, 1),
        left_out=st.sampled_from([None, None, None, LEFT_OUT]),
        family=st.one_of(st.none(), st.integers(1000, 1012)),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(
    written=st.lists(anything, min_size=1, max_size=5),
    room=st.one_of(st.none(), st.integers(1, 60_000)),
)
def test_no_family_ever_stands_on_both_sides_and_nothing_waits_for_ever(
    written: list[list[Waiting]], room: int | None
) -> None:
    vault, policy = Vault(), replace(POLICY, train_most_characters=room)
    seed = 0
    for new in [*written, *([texts(1, 9)] * 80)]:
        vault.write(new)
        plan = vault.night(seed := seed + 1, policy)
        if plan is None:
            continue
        roles = [*plan.train, *plan.replay, *plan.reading, *plan.held_out, *plan.stable]
        assert len(roles) == len(set(roles))
        judged = vault.sides(*plan.held_out, *plan.stable)
        trained = vault.sides(*plan.train, *plan.replay, *plan.reading)
        assert not judged & trained
        assert not judged & vault.trained, "what judges was learned before"
        vault.trained |= trained
        if seed > len(written) and not _still_waits(vault, sum(map(len, written))):
            break
    assert not _still_waits(vault, sum(map(len, written)))


def _still_waits(vault: Vault, first: int) -> list[Waiting]:
    """Of the first documents, those that were neither learned nor judge every night."""
    return [
        one
        for one in vault.documents.values()
        if one.document_id <= first and one.left_out is None and one.state not in (LEARNED, STABLE)
    ]
