"""Adapters that an engine holds: who uses them, and which of them go."""

import contextlib

from daemon.loaded_adapters import AdapterBounds, LoadedAdapters


def holding(*digests: str, count: int = 2, most_bytes: int = 1000, size: int = 1) -> LoadedAdapters:
    made = LoadedAdapters(AdapterBounds(count=count, bytes=most_bytes))
    for digest in digests:
        made.came(digest, size)
    return made


def test_the_one_that_was_asked_for_longest_ago_goes_first() -> None:
    held = holding("a", "b", "c", "d")
    with held.used(["a"]):
        pass
    assert held.surplus() == ["b", "c"]
    for digest in held.surplus():
        held.gone(digest)
    assert held.surplus() == []
    assert [digest in held for digest in "abcd"] == [True, False, False, True]


def test_one_that_answers_somebody_never_goes_and_takes_no_place() -> None:
    held = holding("a", "b", "c", count=1)
    with contextlib.ExitStack() as users:
        users.enter_context(held.used(["a"]))
        users.enter_context(held.used(["a", "b"]))
        assert held.surplus() == []
    assert held.surplus() == ["c", "b"], "a was used last"


def test_a_use_that_ends_leaves_the_other_users_theirs() -> None:
    held = holding("a", "b", count=1)
    with held.used(["a"]):
        with held.used(["a"]):
            pass
        held.let_go("a")
        assert held.surplus() == []
    assert held.surplus() == ["a"]


def test_large_ones_go_before_there_are_many_and_the_last_may_be_as_large_as_it_is() -> None:
    held = holding("a", "b", "c", count=9, most_bytes=250, size=100)
    assert held.surplus() == ["a"]
    assert holding("a", most_bytes=10, size=100).surplus() == []


def test_one_that_nobody_will_ask_for_goes_as_soon_as_it_can_and_may_come_again() -> None:
    held = holding("a", "b")
    held.let_go("a")
    held.let_go("never there")
    assert held.surplus() == ["a"]
    held.gone("a")
    held.came("a", 1)
    assert held.surplus() == []
