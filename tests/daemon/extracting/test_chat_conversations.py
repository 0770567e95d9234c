"""Where a chat is cut, and what of a conversation is kept."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from daemon.extracting.chat_conversations import (
    MOST_CHARACTERS,
    PAUSE_SECONDS,
    Message,
    conversations,
    document_of,
)
from tests.daemon.extracting.chat_reading import spoken

HOUR = 3600.0


def one(text: str, at: float | None = None, *, person: str = "me") -> Message:
    return Message(person=person, text=text, own=person == "me", at=at)


def sizes(*messages: Message) -> list[int]:
    return [len(found) for found in conversations(messages)]


def test_a_pause_of_hours_ends_a_conversation_and_a_clock_set_back_does_not() -> None:
    assert sizes(one("a", 0), one("b", 5 * HOUR), one("c", 11.5 * HOUR)) == [2, 1]
    assert sizes(one("a", 9 * HOUR), one("b", 0), one("c", 10 * HOUR)) == [3]
    assert sizes(one("a"), one("b"), one("c", 99 * HOUR)) == [3]


def test_a_long_conversation_ends_at_a_short_pause_or_where_it_must() -> None:
    long = "word " * 700
    assert sizes(one(long, 0), one(long, 60), one(long, 2 * HOUR), one("b", 2.1 * HOUR)) == [2, 2]
    assert sizes(one(long, 0), one(long, 1), one(long, 2), one("x", HOUR), one("y", HOUR)) == [3, 2]
    assert sizes(*(one("x" * (MOST_CHARACTERS - 1), n) for n in range(3))) == [1, 1, 1]


@given(
    said=st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 7000)), max_size=30),
    more=st.lists(st.tuples(st.integers(0, 30000), st.integers(1, 7000)), max_size=10),
)
def test_what_comes_later_changes_the_last_conversation_alone(
    said: list[tuple[int, int]], more: list[tuple[int, int]]
) -> None:
    messages, at = [], 0.0
    for gap, length in (*said, *more):
        at += gap
        messages.append(one("x" * length, at))
    before = list(conversations(messages[: len(said)]))
    after = list(conversations(messages))
    assert after[: max(0, len(before) - 1)] == before[:-1]
    assert [m for found in after for m in found] == messages
    assert all(
        later.at - earlier.at < PAUSE_SECONDS
        for found in after
        for earlier, later in itertools.pairwise(found)
        if earlier.at is not None and later.at is not None
    )


def test_turns_of_one_speaker_are_one_and_cover_the_words_alone() -> None:
    document = document_of(
        [
            one("hi", person="x"),
            one("are you there", person="x"),
            one("  yes \x00\ud800"),
            one("\x07"),
            one("", person="x"),
            one("why?"),
            one("just so", person="y"),
        ],
        path="p",
    )
    assert document is not None
    assert document.text == "A: hi\nare you there\n\nme: yes\nwhy?"
    assert spoken(document) == [("A", "hi\nare you there"), ("me", "yes\nwhy?")]
    assert document_of([one("hi", person="x")], path="p") is None
    assert "there" not in repr(document)
