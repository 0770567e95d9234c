"""Turns for clients: who gets the next place, who is refused, and who hangs up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from daemon.fair_queue import LONGEST_RETRY_SECONDS, FairQueue, QueuePolicy
from ipc.errors import QueueFull


class Clients:
    """Clients at a queue whose clock stands still until a test moves it."""

    def __init__(self, **policy: int) -> None:
        self.now = 0.0
        self.queue = FairQueue(QueuePolicy(**policy), clock=lambda: self.now)
        self.order: list[str] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def ask(self, *names: str) -> None:
        """Requests, each of the client whose letter its name begins with."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._request(name))
            await settled()

    async def _request(self, name: str) -> None:
        async with self.queue.place(name[0]):
            self.order.append(name)
            await self._ends[name].wait()

    async def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()
            await settled()

    def leave_and_hang_up(self, inside: str, waiting: str) -> None:
        """The one leaves, and before the other has heard that it is its turn, it hangs up."""
        self._tasks[inside].cancel()
        self._tasks[inside].add_done_callback(lambda _: self._tasks[waiting].cancel())

    async def hang_up(self, name: str) -> None:
        self._tasks[name].cancel()
        await settled()

    def refused(self, name: str) -> QueueFull:
        error = self._tasks[name].exception()
        assert isinstance(error, QueueFull)
        return error

    async def leave(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        assert (self.queue.inside, self.queue.waiting) == (0, 0)


async def settled() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def clients(**policy: int) -> AsyncIterator[Clients]:
    made = Clients(**policy)
    yield made
    await made.leave()


async def test_as_many_as_fit_are_inside_and_the_next_waits() -> None:
    async with clients(at_once=2) as some:
        await some.ask("a1", "a2", "a3")
        assert some.order == ["a1", "a2"]
        await some.end("a1")
        assert some.order == ["a1", "a2", "a3"]


async def test_clients_take_turns_however_much_one_asks_for() -> None:
    async with clients(at_once=1) as some:
        await some.ask("a1", "a2", "a3", "a4", "b1", "b2", "c1")
        for name in ("a1", "a2", "b1", "c1", "a3", "b2"):
            await some.end(name)
        assert some.order == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


async def test_who_has_least_inside_is_next() -> None:
    async with clients(at_once=3) as some:
        await some.ask("a1", "a2", "a3", "a4", "b1")
        await some.end("a1")
        assert some.order[-1] == "b1"


async def test_who_hangs_up_frees_a_place_or_is_out_of_line() -> None:
    async with clients(at_once=1, waiting=2, newcomers=0) as some:
        await some.ask("a1", "a2", "b1")
        await some.hang_up("a2")
        assert some.queue.waiting == 1
        await some.hang_up("a1")
        assert some.order == ["a1", "b1"]


async def test_who_hangs_up_as_its_turn_comes_passes_it_on() -> None:
    async with clients(at_once=1) as some:
        await some.ask("a1", "b1", "c1")
        some.leave_and_hang_up("a1", "b1")
        await settled()
        assert some.order[-1] == "c1"


async def test_a_full_line_refuses_and_still_lets_newcomers_in() -> None:
    async with clients(at_once=1, waiting=2, newcomers=1) as some:
        await some.ask("a1", "a2", "a3", "a4", "b1", "c1")
        assert some.refused("a4").status == 429
        assert some.queue.waiting == 3, "b1 waits: its client has nothing there yet"
        assert some.refused("c1")
        await some.end("a1", "b1")
        assert some.order == ["a1", "a2"]


@pytest.mark.parametrize(
    ("took", "expected"), [(0.0, 1), (1.0, 5), (10.0, 45), (1000.0, LONGEST_RETRY_SECONDS)]
)
async def test_another_try_is_worth_it_when_those_in_line_will_have_had_their_turn(
    took: float, expected: int
) -> None:
    async with clients(at_once=2, waiting=8, newcomers=0) as some:
        for number in range(40):  # until the first guess counts for nothing
            await some.ask(f"a{number}")
            some.now += took
            await some.end(f"a{number}")
        await some.ask(*(f"b{number}" for number in range(11)))
        assert some.refused("b10").retry_after == pytest.approx(expected, abs=1)
