"""Chats go first, and a client that keeps chatting does not eat the night."""

import itertools

import pytest

from daemon.chat_share import ChatPolicy, ChatShare

POLICY = ChatPolicy(most=0.5, memory_seconds=600.0)


def test_nothing_was_taken_at_first() -> None:
    assert ChatShare(at=100.0).until(1000.0, 0.0, POLICY).share == 0.0


def test_a_short_chat_costs_next_to_nothing() -> None:
    share = ChatShare(at=0.0).until(5.0, 5.0, POLICY).served(POLICY)
    assert 0.0 < share.share < 0.01
    assert not share.waiting


def test_a_client_that_never_pauses_waits_after_seven_minutes() -> None:
    share = ChatShare(at=0.0)
    for minute in itertools.count(1):
        share = share.until(60.0 * minute, 60.0, POLICY).served(POLICY)
        if share.waiting:
            break
    assert minute == 7


@pytest.mark.parametrize("pieces", [1, 7, 600])
def test_the_share_does_not_depend_on_how_often_it_is_looked_at(pieces: int) -> None:
    share = ChatShare(at=0.0)
    for number in range(1, pieces + 1):
        share = share.until(300.0 * number / pieces, 300.0 / pieces, POLICY)
    assert share.share == pytest.approx(0.3935, abs=1e-3)


def test_who_waits_waits_for_finished_work_and_for_a_smaller_share() -> None:
    share = ChatShare(at=0.0, share=0.55).served(POLICY)
    assert share.waiting
    later = share.until(10.0, 0.0, POLICY)
    assert later.worked(POLICY).waiting, "the share is still too large"
    later = share.until(100.0, 0.0, POLICY)
    assert later.share < 0.5
    assert later.waiting, "nothing was finished since"
    assert not later.worked(POLICY).waiting


def test_a_clock_that_stands_still_changes_nothing() -> None:
    share = ChatShare(at=5.0, share=0.2)
    assert share.until(5.0, 3.0, POLICY) == share
    assert share.until(4.0, 3.0, POLICY) == share


def test_no_share_is_more_than_all_or_less_than_nothing() -> None:
    assert ChatShare(at=0.0).until(10.0, 1e9, ChatPolicy(memory_seconds=1.0)).share <= 1.0
    assert ChatShare(at=0.0).until(10.0, -5.0, POLICY).share == 0.0
