"""Chats on the model thread: rows of a real batch that come, go and break, each for itself."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from daemon.chat_share import ChatPolicy
from daemon.engine import Desk, Job
from daemon.engine_answers import Answers
from daemon.engine_chats import EngineChats
from daemon.engine_way import Way
from daemon.errors import AdapterTakenAway
from ipc.link import BlockingLink
from trainer.adapter_format import LoraShape
from trainer.base_model import BaseModel, load_base
from trainer.lora import LoraBank
from trainer.row_batch import RowBatch
from trainer.served_adapters import ServedAdapters

SHARE = ChatPolicy(most=0.5, memory_seconds=60.0)
GREEDY = {"adapter": None, "temperature": 0.0, "top_p": 1.0}
LONG = "The bees came back to the garden before the rain. " * 6
Json = dict[str, Any]


class Service:
    """Reads what the engine answers, as the service does."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.link = BlockingLink(theirs)
        self._ours = BlockingLink(ours)
        self._heard: dict[int, list[tuple[Json, bytes]]] = {}
        self._ended = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                message = self._ours.receive()
            except Exception:
                return
            with self._ended:
                self._heard.setdefault(message.header["id"], []).append(
                    (message.header, bytes(message.body))
                )
                self._ended.notify_all()

    def last(self, number: int) -> Json:
        """The header of the last message of a job that has ended."""
        with self._ended:
            assert self._ended.wait_for(lambda: self._has_ended(number), timeout=20)
            return self._heard[number][-1][0]

    def text(self, number: int) -> str:
        self.last(number)
        return "".join(
            body.decode() for header, body in self._heard[number] if header["event"] == "text"
        )

    def bodies(self, number: int) -> list[bytes]:
        self.last(number)
        return [body for header, body in self._heard[number] if header["event"] == "text"]

    def _has_ended(self, number: int) -> bool:
        heard = self._heard.get(number, [])
        return any(header["event"] in ("done", "failed") for header, _ in heard)

    def close(self) -> None:
        self.link.close()
        self._ours.close()


class Watched(RowBatch):
    """Tells of each turn, and breaks when it is told to."""

    on_turn: Callable[[int], None] = staticmethod(lambda turn: None)
    turns = 0

    def turn(self) -> list[Any]:
        Watched.turns += 1
        Watched.on_turn(Watched.turns)
        return super().turn()


class Thread:
    """A model thread that does chats and notes all else."""

    def __init__(self, base: BaseModel, adapters: ServedAdapters) -> None:
        self.now = 0.0
        self.service = Service()
        self.desk = Desk()
        self.way = Way(self.desk, self.do, policy=SHARE, clock=lambda: self.now)
        self._base = base
        self.adapters = adapters
        self.memory = 1 << 30
        self.batches: list[Watched] = []
        self.done: list[str] = []
        self.chats = EngineChats(
            desk=self.desk,
            way=self.way,
            base=base,
            rows=self.rows,
            answers=Answers(self.desk, self.service.link),
            do=self.do,
        )
        self._numbers = iter(range(1, 10_000))
        Watched.turns, Watched.on_turn = 0, staticmethod(lambda turn: None)

    def rows(self) -> RowBatch:
        self.batches.append(Watched(self._base, self.adapters, memory_bytes=self.memory))
        return self.batches[-1]

    def do(self, job: Job) -> None:
        if job.op == "generate":
            self.chats.answer(job)
            return
        self.done.append(job.op)
        if job.op == "adapter_drop":
            self.chats.drop_adapter(job.parameters["name"])

    def put(self, op: str, body: bytes = b"", **parameters: Any) -> Job:
        job = Job(next(self._numbers), op, parameters, body)
        self.desk.put(job)
        return job

    def ask(self, prompt: str = "The bees", *, tokens: int = 6, **more: Any) -> Job:
        body = json.dumps({"prompt": prompt}).encode()
        return self.put("generate", body, **GREEDY | {"max_tokens": tokens} | more)

    def serve(self) -> None:
        """Until nothing urgent is left."""
        while (job := self.desk.take_urgent()) is not None:
            self.do(job)

    def at(self, turn: int, then: Callable[[], object]) -> None:
        """Something happens as this turn begins, counted from now."""
        wanted = Watched.turns + turn

        def on_turn(number: int) -> None:
            if number == wanted:
                then()

        Watched.on_turn = staticmethod(on_turn)

    def said(self, *jobs: Job) -> list[str]:
        return [self.service.text(job.number) for job in jobs]


@pytest.fixture(scope="module")
def base(base_folder: Path) -> BaseModel:
    return load_base(base_folder)


@pytest.fixture(scope="module")
def loud(base: BaseModel) -> bytes:
    """An adapter that changes whatever the base says."""
    bank = LoraBank(base.model, base.identity)
    bank.create("loud", LoraShape(rank=2), seed=3)
    for parameter in bank.parameters("loud").values():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(3))
    data = bank.save("loud")
    bank.drop("loud")
    return data


@pytest.fixture
def thread(base: BaseModel, loud: bytes) -> Iterator[Thread]:
    adapters = ServedAdapters(base)
    adapters.load("loud", loud)
    made = Thread(base, adapters)
    yield made
    made.service.close()


def test_answers_that_are_made_together_are_those_that_are_made_alone(thread: Thread) -> None:
    asked: list[Json] = [
        {"prompt": "The bees"},
        {"prompt": "She wrote the number", "adapter": "loud", "tokens": 9},
        {"prompt": LONG, "tokens": 3},
        {"prompt": "The bees", "adapter": "loud"},
        {"prompt": "Where does", "temperature": 1.0, "seed": 5},
    ]
    alone = []
    for one in asked:
        job = thread.ask(**one)
        thread.serve()
        alone += thread.said(job)
    together = [thread.ask(**one) for one in asked[:2]]
    thread.at(2, lambda: together.extend(thread.ask(**one) for one in asked[2:]))
    thread.serve()
    assert thread.said(*together) == alone
    assert alone[0] != alone[3]
    ends = [thread.service.last(job.number) for job in together]
    assert [end["completion_tokens"] for end in ends] == [6, 9, 3, 6, 6]
    assert {end["reason"] for end in ends} == {"length"}


def test_a_row_whose_client_hung_up_is_gone_within_a_step(thread: Thread) -> None:
    endless, other = thread.ask(tokens=200), thread.ask(tokens=4)
    thread.at(5, endless.cancelled.set)
    thread.serve()
    assert thread.service.last(endless.number)["completion_tokens"] <= 5
    assert thread.service.last(other.number)["completion_tokens"] == 4
    assert Watched.turns < 12
    assert thread.batches[-1].rows == 0
    assert thread.desk.find(endless.number) is None


def test_what_is_wrong_with_one_request_answers_that_one_only(thread: Thread) -> None:
    good = thread.ask()
    wrong = [
        thread.ask("bees " * 300),
        thread.ask(temperature=-1.0),
        thread.ask(adapter="unknown"),
        thread.put("generate", b"heather honey is no JSON", **GREEDY),
    ]
    thread.serve()
    assert thread.service.last(good.number)["event"] == "done"
    failed = [thread.service.last(job.number) for job in wrong]
    codes = [told["code"] for told in failed]
    assert codes == ["PromptTooLong", "BadSampling", "AdapterUnknown", "broken"]
    assert (failed[0]["context_tokens"], failed[0]["prompt_tokens"] > 255) == (256, True)
    assert "heather" not in json.dumps(failed)


def test_a_step_that_breaks_answers_all_that_were_in_it_and_the_next_ones_work(
    thread: Thread,
) -> None:
    def breaks() -> None:
        raise RuntimeError("the bees")

    caught = [thread.ask(tokens=50), thread.ask(tokens=50)]
    thread.at(6, breaks)
    thread.serve()
    for job in caught:
        told = thread.service.last(job.number)
        assert (told["event"], told["code"]) == ("failed", "broken")
        assert "bees" not in json.dumps(told)
    assert len(thread.batches) == 2
    after = thread.ask()
    thread.serve()
    assert thread.service.last(after.number)["event"] == "done"


def test_an_adapter_that_goes_ends_its_rows_and_leaves_nothing_of_itself(thread: Thread) -> None:
    personal = [thread.ask(LONG, tokens=100, adapter="loud") for _ in range(2)]
    plain = thread.ask(LONG, tokens=20)
    thread.at(12, lambda: thread.put("adapter_drop", name="loud"))
    thread.serve()
    codes = [thread.service.last(job.number)["code"] for job in personal]
    assert codes == [AdapterTakenAway.CODE] * 2
    assert thread.service.last(plain.number)["event"] == "done"
    kept = [prefix.owner for prefix in thread.batches[-1]._kept]
    assert kept
    assert all(owner is None for owner in kept)


def test_words_and_adapters_are_done_between_two_steps(thread: Thread) -> None:
    thread.ask(tokens=8)
    done: list[list[str]] = []

    def on_turn(turn: int) -> None:
        done.append(list(thread.done))
        if turn == 3:
            thread.put("hold")

    Watched.on_turn = staticmethod(on_turn)
    thread.serve()
    assert done[2:4] == [[], ["hold"]]


def test_who_finds_no_room_waits_until_there_is_some(base: BaseModel, loud: bytes) -> None:
    thread = Thread(base, ServedAdapters(base))
    thread.memory = 1
    thread.chats._rows = thread.rows()
    first, second = thread.ask(tokens=5), thread.ask(tokens=5)
    most: list[int] = []
    Watched.on_turn = staticmethod(lambda turn: most.append(thread.batches[-1].rows))
    thread.serve()
    assert max(most) == 1
    assert len(set(thread.said(first, second))) == 1
    thread.service.close()


def test_chats_without_a_pause_leave_a_night_its_turn(thread: Thread) -> None:
    """Each chat has another behind it; a step takes five seconds, and training waits."""
    training = Job(9000, "train", {}, b"")
    told: list[Json] = []

    def passes(turn: int) -> None:
        thread.now += 5.0
        if turn % 3 == 0:
            thread.ask(tokens=4)

    Watched.on_turn = staticmethod(passes)
    thread.ask(tokens=4)
    thread.way.make(training, lambda event, **facts: told.append(facts))
    assert told[-1]["capped"]
    assert thread.batches[-1].rows == 0, "those that were begun have come to their end"
    assert thread.desk.urgent_waits()
    assert not thread.way.is_wanted()
    Watched.on_turn = staticmethod(lambda turn: None)
    while not thread.way.is_wanted():
        thread.now += 20.0
        thread.way.work_done(lambda event, **facts: told.append(facts))
    thread.way.make(training, lambda event, **facts: None)
    assert not thread.desk.urgent_waits()


def test_chats_that_nobody_waits_behind_go_on_as_long_as_they_like(thread: Thread) -> None:
    def passes(turn: int) -> None:
        thread.now += 50.0
        if turn < 40:
            thread.ask(tokens=2)

    Watched.on_turn = staticmethod(passes)
    thread.ask(tokens=2)
    thread.serve()
    assert not thread.desk.urgent_waits()
    assert Watched.turns > 40


def test_chances_go_with_their_text_and_stand_in_the_body_alone(thread: Thread) -> None:
    job = thread.ask(tokens=5, logprobs=2)
    plain = thread.ask(tokens=5)
    thread.serve()
    pieces = [json.loads(body) for body in thread.service.bodies(job.number)]
    assert "".join(piece["text"] for piece in pieces) == thread.said(plain)[0]
    chances = [chance for piece in pieces for chance in piece["chances"]]
    assert len(chances) == 5
    assert all(len(chance["likeliest"]) == 2 and chance["logprob"] <= 0 for chance in chances)
