"""Answers wait in order until they are taken, and no more of them than may."""

import asyncio
import sys
from typing import Any

import pytest

from daemon.errors import EngineDied, EngineFlooded
from daemon.replies import WAITING_LIMIT_BYTES, Replies, cost_bytes
from ipc.link import Message

TOKEN = Message(header={"id": 12345, "event": "text"}, body=b" honey")


def message(number: int, body: bytes = b"") -> Message:
    return Message(header={"number": number}, body=body)


async def numbers(replies: Replies, count: int) -> list[int]:
    return [(await replies.get()).header["number"] for _ in range(count)]


async def test_answers_are_taken_in_order() -> None:
    replies = Replies()
    for number in range(3):
        replies.put(message(number))
    assert await numbers(replies, 3) == [0, 1, 2]


async def test_who_asks_too_early_waits() -> None:
    replies = Replies()
    asking = asyncio.create_task(replies.get())
    await asyncio.sleep(0)
    assert not asking.done()
    replies.put(message(7))
    assert (await asking).header["number"] == 7


async def test_what_came_before_the_end_is_still_taken() -> None:
    replies = Replies()
    replies.put(message(1))
    replies.end(EngineDied)
    assert await numbers(replies, 1) == [1]
    for _ in range(2):
        with pytest.raises(EngineDied):
            await replies.get()


async def test_the_end_wakes_who_waits() -> None:
    replies = Replies()
    asking = asyncio.create_task(replies.get())
    await asyncio.sleep(0)
    replies.end(EngineDied)
    with pytest.raises(EngineDied):
        await asking


async def test_more_than_may_wait_is_a_flood() -> None:
    replies = Replies(limit_bytes=1_000_000)
    replies.put(message(1, bytes(600_000)))
    with pytest.raises(EngineFlooded):
        replies.put(message(2, bytes(600_000)))


async def test_what_was_taken_makes_room() -> None:
    replies = Replies(limit_bytes=1_000_000)
    for number in range(20):
        replies.put(message(number, bytes(600_000)))
        assert await numbers(replies, 1) == [number]


async def test_of_a_flood_nothing_is_kept() -> None:
    replies = Replies()
    replies.put(message(1, bytes(600_000)))
    replies.end(EngineFlooded)
    with pytest.raises(EngineFlooded):
        await replies.get()


async def test_a_long_answer_that_nobody_reads_yet_is_no_flood() -> None:
    replies = Replies()
    for _ in range(131_072):  # the longest context there is among today's bases
        replies.put(TOKEN)
    assert (await replies.get()).body == b" honey"


def memory_of(value: Any) -> int:
    """Bytes of Python's objects, without those that all share."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sys.getsizeof(value) + sum(map(memory_of, inside))


@pytest.mark.parametrize(
    "header",
    [
        {"id": 1, "event": "text"},
        {"id": 1, "event": [[] for _ in range(20_000)]},
        {"id": 1, "event": [{} for _ in range(20_000)]},
        {"id": 1, "event": [0.5] * 15_000},
        {"id": 1, "event": "x" * 60_000},
    ],
    ids=["small", "lists", "objects", "numbers", "word"],
)
def test_no_header_takes_much_more_memory_than_it_is_counted_for(header: dict[str, Any]) -> None:
    assert memory_of(header) < 1.2 * cost_bytes(Message(header=header)) + 500
    assert cost_bytes(Message(header=header)) < WAITING_LIMIT_BYTES / 50
