"""The order of a night: everything new in every pass, the shares of the rest, always the same."""

import itertools
from collections import Counter

import numpy as np
import pytest

from trainer.examples import GENERAL_KEY, Role, Row, TrainingExample
from trainer.mixture import Shares, interleave, order_examples


def texts(role: Role, count: int, tokens: int = 100) -> list[TrainingExample]:
    return [
        TrainingExample(
            key=key, role=role, ids=np.zeros(tokens, dtype=np.int32),
            loss_mask=np.ones(tokens, dtype=np.bool_),
        )
        for key in range(count)
    ]  # fmt: skip


def night(
    *, seed: int = 1, passes: int = 2, replay: int = 50, shares: Shares | None = None
) -> list[tuple[Role, int]]:
    order = order_examples(
        new=texts(Role.NEW, 65),
        replay=texts(Role.REPLAY, replay),
        canaries=texts(Role.CANARY, 3, tokens=10),
        passes=passes,
        shares=shares or Shares(replay=0.10, general=0.25),
        seed=seed,
    )
    return [(one.role, one.key) for one in order]


def row(key: int, number: int) -> Row:
    return Row(
        ids=np.full(4, number, dtype=np.int32), position_ids=np.arange(4, dtype=np.int32),
        target_mask=np.ones(4, dtype=np.bool_), keys=np.full(4, key, dtype=np.int64),
    )  # fmt: skip


TEXT_ROWS = [row(1, number) for number in range(75)]
GENERAL_ROWS = [row(GENERAL_KEY, number) for number in range(40)]


def kinds(rows: list[Row]) -> list[bool]:
    return [one.general for one in rows]


# --------------------------------------------------------------------------- text


def test_every_pass_holds_all_new_text_and_every_canary_once() -> None:
    order = night(passes=3, replay=0)
    assert len(order) == 3 * 68
    for start in range(0, len(order), 68):
        assert len(set(order[start : start + 68])) == 68


def test_replay_gets_its_share_of_all_tokens_general_text_counted_in() -> None:
    roles = Counter(role for role, _ in night())
    whole = (roles[Role.NEW] + roles[Role.REPLAY]) / 0.75
    assert roles[Role.REPLAY] / whole == pytest.approx(0.10, abs=0.005)


def test_a_pass_goes_on_with_the_replay_where_the_last_one_stopped() -> None:
    replayed = [key for role, key in night(passes=5, replay=50) if role is Role.REPLAY]
    assert sorted(replayed) == list(range(50))


def test_too_little_replay_is_not_repeated_within_a_pass() -> None:
    assert sum(role is Role.REPLAY for role, _ in night(passes=1, replay=4)) == 4


def test_no_kind_of_text_comes_in_a_block() -> None:
    roles = [role for role, _ in night(passes=1) if role in (Role.NEW, Role.REPLAY)]
    assert sum(one is not other for one, other in itertools.pairwise(roles)) > 5


def test_the_same_seed_gives_the_same_order_and_another_seed_another() -> None:
    assert night(seed=4) == night(seed=4) != night(seed=5)


def test_without_shares_only_new_text_and_canaries_are_read() -> None:
    order = night(shares=Shares(replay=0.0, general=0.0))
    assert {role for role, _ in order} == {Role.NEW, Role.CANARY}


@pytest.mark.parametrize(("replay", "general"), [(-0.1, 0.2), (0.5, 0.4), (0.0, 1.0)])
def test_shares_that_leave_no_room_for_new_text_are_refused(replay: float, general: float) -> None:
    with pytest.raises(ValueError, match="room for new text"):
        Shares(replay=replay, general=general)


# --------------------------------------------------------------------------- general rows


def test_general_rows_make_up_their_share_and_are_spread_evenly() -> None:
    general = kinds(interleave(TEXT_ROWS, GENERAL_ROWS, 0.25))
    assert (len(general), sum(general)) == (100, 25)
    assert all(sum(general[start : start + 20]) == 5 for start in range(0, 100, 20))


def test_general_rows_are_taken_in_turn_and_again_when_they_end() -> None:
    mixed = interleave(TEXT_ROWS, GENERAL_ROWS[:3], 0.25)
    assert [int(one.ids[0]) for one in mixed if one.general] == [n % 3 for n in range(25)]


def test_text_rows_keep_their_order_and_none_is_lost() -> None:
    mixed = interleave(TEXT_ROWS, GENERAL_ROWS, 0.4)
    assert [int(one.ids[0]) for one in mixed if not one.general] == list(range(75))


@pytest.mark.parametrize(("general", "share"), [([], 0.25), (GENERAL_ROWS, 0.0)])
def test_without_samples_or_a_share_there_is_only_text(general: list[Row], share: float) -> None:
    assert interleave(TEXT_ROWS, general, share) == TEXT_ROWS
