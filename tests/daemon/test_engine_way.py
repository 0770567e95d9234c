"""Patient work makes way: clients first, rest while it is held, and a turn for the night."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from daemon.chat_share import ChatPolicy
from daemon.engine import Desk, Job
from daemon.engine_way import Way

SOON_SECONDS = 20.0
SHARE = ChatPolicy(most=0.5, memory_seconds=60.0)


class Thread:
    """A model thread whose every job takes as long as the test says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.desk = Desk()
        self.way = Way(self.desk, self.do, policy=SHARE, clock=lambda: self.now)
        self.training = Job(1, "train", {}, b"")
        self.done: list[str] = []
        self.told: list[dict[str, Any]] = []
        self.then: Callable[[Job], None] = lambda job: None
        self._numbers = iter(range(2, 10_000))

    def put(self, op: str, seconds: float = 0.0) -> None:
        self.desk.put(Job(next(self._numbers), op, {"seconds": seconds}, b""))

    def do(self, job: Job) -> None:
        if job.op in ("hold", "go_on"):
            self.desk.held = job.op == "hold"
        self.now += job.parameters["seconds"]
        self.done.append(job.op)
        self.then(job)

    def make_way(self, dropped: float = 0.0) -> float:
        return self.way.make(self.training, self.tell, dropped)

    def work(self, seconds: float) -> None:
        """A micro-batch that comes to its end."""
        self.now += seconds
        self.way.work_done(self.tell)

    def tell(self, event: str, **facts: Any) -> None:
        assert event == "chat"
        self.told.append(facts)


@pytest.fixture
def thread() -> Thread:
    return Thread()


def chat_until_capped(thread: Thread) -> None:
    while not (thread.told and thread.told[-1]["capped"]):
        thread.put("generate", 10.0)
        assert thread.way.is_wanted()
        thread.make_way()


def test_clients_are_served_and_the_work_hears_what_they_took(thread: Thread) -> None:
    thread.work(20.0)
    thread.put("generate", 3.0)
    assert thread.way.is_wanted()
    assert thread.make_way(dropped=2.0) == 3.0
    assert thread.done == ["generate"]
    ((told),) = thread.told
    assert (told["seconds"], told["capped"]) == (5.0, False)
    assert not thread.way.is_wanted()


def test_loading_an_adapter_is_no_chat(thread: Thread) -> None:
    thread.put("adapter_load", 3.0)
    thread.make_way()
    assert (thread.done, thread.told) == (["adapter_load"], [])


def test_held_work_rests_until_it_may_go_on_and_clients_are_served_meanwhile(
    thread: Thread,
) -> None:
    def then(job: Job) -> None:
        if job.op == "hold":
            thread.put("generate", 4.0)
        if job.op == "generate":
            threading.Timer(0.0, thread.put, ("go_on",)).start()

    thread.then = then
    thread.put("hold")
    assert thread.way.is_held()
    thread.make_way()
    assert thread.done == ["hold", "generate", "go_on"]
    assert thread.told == [], "a chat takes nothing from a night that rests"


@pytest.mark.parametrize("end", ["stop", "cancelled", "close"])
def test_work_that_nobody_wants_does_not_rest(thread: Thread, end: str) -> None:
    def ends() -> None:
        if end == "close":
            thread.desk.close()
        else:
            getattr(thread.training, end).set()
            thread.desk.look_again()

    thread.desk.put(thread.training)
    assert thread.desk.take() is thread.training
    thread.put("hold")
    thread.then = lambda job: threading.Timer(0.0, ends).start()
    resting = threading.Thread(target=thread.make_way, daemon=True)
    resting.start()
    resting.join(SOON_SECONDS)
    assert not resting.is_alive()
    assert thread.training.unwanted


def test_a_client_that_took_too_much_waits_for_a_micro_batch(thread: Thread) -> None:
    chat_until_capped(thread)
    thread.put("generate", 10.0)
    assert not thread.way.is_wanted()
    thread.make_way()
    assert thread.told[-1]["capped"]
    before = len(thread.done)
    while not thread.way.is_wanted():
        thread.work(5.0)
    assert not thread.told[-1]["capped"]
    thread.make_way()
    assert thread.done[before:] == ["generate"]


def test_a_word_and_a_withdrawn_adapter_never_wait_for_their_turn(thread: Thread) -> None:
    chat_until_capped(thread)
    thread.put("generate", 10.0)
    thread.put("adapter_drop")
    assert thread.way.is_wanted()
    before = len(thread.done)
    thread.make_way()
    assert thread.done[before:] == ["adapter_drop"]


def test_a_client_that_waits_is_served_as_soon_as_the_night_rests(thread: Thread) -> None:
    chat_until_capped(thread)
    thread.put("generate", 10.0)
    thread.put("hold")
    thread.then = lambda job: thread.put("go_on") if job.op == "generate" else None
    before = len(thread.done)
    thread.make_way()
    assert thread.done[before:] == ["hold", "generate", "go_on"]


def test_dropped_work_is_paid_by_who_dropped_it(thread: Thread) -> None:
    """A client that asks in time before every end of a long micro-batch is stopped as well."""
    finished = 0
    for _ in range(40):
        thread.put("generate", 2.0)
        if thread.way.is_wanted():
            thread.now += 18.0
            thread.make_way(dropped=18.0)
        else:
            thread.work(20.0)
            finished += 1
    assert finished > 10
