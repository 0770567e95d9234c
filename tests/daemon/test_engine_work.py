"""Training and judging on the model thread: what they answer, and where they can be broken off."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from daemon.engine import Job
from daemon.engine_judging import judge
from daemon.engine_training import CANDIDATE, train
from daemon.engine_way import Tell
from daemon.engine_work import Unwanted, Work
from ipc.frames import Body
from ipc.link import Message
from trainer.adapter_format import LoraShape
from trainer.base_model import BaseModel, load_base
from trainer.lora import LoraBank
from trainer.row_batch import RowBatch
from trainer.sampling import SamplingSettings
from trainer.served_adapters import ServedAdapters

RECIPE = {
    "lora": {"rank": 4}, "row_tokens": 64, "canaries": 2, "passes": 3, "general_budget": 0.0001,
    "finetune": {"rows_per_step": 1, "rows_per_micro_batch": 1, "learning_rate": 1e-2},
}  # fmt: skip
TEXTS = [f"The bees came back to hive {number} before the rain." for number in range(6)]
GREEDY = SamplingSettings(max_tokens=4, temperature=0.0)


@dataclass
class Thread:
    """A model thread with one job; what it answered, and what happens when it makes way."""

    base: BaseModel
    bank: LoraBank
    adapters: ServedAdapters
    answers: list[tuple[str, bytes, dict[str, Any]]] = field(default_factory=list)
    ways: int = 0  # how often it made way
    held: bool = False  # what runs now is dropped at its next border
    on_way: Callable[[Job, int], None] = lambda job, number: None

    def is_wanted(self) -> bool:
        return self.held

    def is_held(self) -> bool:
        return self.held

    def make(self, job: Job, tell: Tell, dropped: float = 0.0) -> float:
        self.ways += 1
        self.held = False
        self.on_way(job, self.ways)
        return 0.0

    def work_done(self, tell: Tell) -> None: ...

    def work(self, op: str, *attachments: Message, **parameters: Any) -> Work:
        job = Job(1, op, {"recipe": RECIPE, "seed": 5, **parameters}, b"")
        samples = np.arange(16 * 32, dtype="<i4").reshape(16, 32) % 50 + 5
        header = {"attach": "samples", "shape": [16, 32]}
        job.attachments = [Message(header=header, body=samples.tobytes()), *attachments]
        self.ways = 0
        self.answers.clear()

        def answer(event: str, body: Body = b"", **facts: Any) -> None:
            self.answers.append((event, bytes(body), facts))

        return Work(
            job=job, base=self.base, bank=self.bank, adapters=self.adapters, answer=answer,
            way=self,
        )  # fmt: skip

    def train(self, checkpoint: bytes | None = None) -> dict[str, Any]:
        """Facts of the last answer to `train`."""
        attachments = texts("new")
        if checkpoint is not None:
            attachments.append(Message(header={"attach": "checkpoint"}, body=checkpoint))
        train(self.work("train", *attachments, max_seconds=60.0, checkpoint_seconds=60.0))
        return self.answers[-1][2]

    def judge(self) -> dict[str, Any]:
        judge(self.work("judge", *texts("held_out"), served=None, candidate="judged"))
        (event, body, _) = self.answers[-1]
        assert event == "done"
        answer: dict[str, Any] = json.loads(body)
        return answer

    def serve(self, name: str, *, seed: int) -> None:
        """A random adapter that changes what the base says."""
        self.bank.create(name, LoraShape(rank=2), seed=seed)
        for parameter in self.bank.parameters(name).values():
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(seed))
        self.adapters.load(name, self.bank.save(name))
        self.bank.drop(name)

    def events(self) -> list[str]:
        """Kinds of answers in order, each run of one kind once."""
        kinds = [event for event, _, _ in self.answers]
        return [kind for kind, before in zip(kinds, [None, *kinds], strict=False) if kind != before]


def texts(role: str) -> list[Message]:
    return [
        Message(
            header={"attach": "text", "key": key, "role": role},
            body=json.dumps({"text": text}).encode(),
        )
        for key, text in enumerate(TEXTS)
    ]


def stop_at(number: int) -> Callable[[Job, int], None]:
    """Somebody asks for the end while clients are served for the nth time."""

    def on_way(job: Job, ways: int) -> None:
        if ways == number:
            job.stop.set()

    return on_way


@pytest.fixture(scope="module")
def thread(base_folder: Path) -> Thread:
    base = load_base(base_folder)
    bank = LoraBank(base.model, base.identity)
    return Thread(base=base, bank=bank, adapters=ServedAdapters(base))


@pytest.fixture(autouse=True)
def undisturbed(thread: Thread) -> None:
    thread.on_way = lambda job, number: None
    for name in thread.bank.names:
        thread.bank.drop(name)


# --------------------------------------------------------------------------- training


def test_training_keeps_its_last_step_before_it_measures_how_much_to_keep(thread: Thread) -> None:
    done = thread.train()
    assert thread.events() == ["prepared", "resumed", "step", "checkpoint", "shrunk", "done"]
    (steps,) = {facts["steps"] for event, _, facts in thread.answers if event == "step"}
    (checkpoint,) = [facts for event, _, facts in thread.answers if event == "checkpoint"]
    assert checkpoint["step"] == steps
    assert done["stopped"] is False
    assert CANDIDATE not in thread.bank.names


def test_a_stop_after_the_last_step_costs_no_step(thread: Thread) -> None:
    whole = thread.train()
    ways, before = thread.ways, len(TEXTS)  # it makes way before each text
    assert ways > before + 3

    for number in (before + 1, (before + ways) // 2, ways):
        thread.on_way = stop_at(number)
        with pytest.raises(Unwanted):
            thread.train()
        assert thread.ways == number
        assert thread.events()[-1] == "checkpoint"
        assert CANDIDATE not in thread.bank.names
        checkpoint = thread.answers[-1][1]

        thread.on_way = lambda job, number: None
        resumed = thread.train(checkpoint)
        assert "step" not in thread.events()
        assert resumed["sha256"] == whole["sha256"]


# --------------------------------------------------------------------------- judging


def test_a_stop_is_heard_wherever_judging_makes_way(thread: Thread) -> None:
    thread.serve("judged", seed=1)
    thread.judge()
    ways = thread.ways
    assert ways > 40  # between tokens as well; batches there are only five

    for number in (1, 2, 5, ways // 2, ways):
        thread.on_way = stop_at(number)
        with pytest.raises(Unwanted):
            thread.judge()
        assert (thread.ways, thread.answers) == (number, [])


def test_clients_that_are_served_in_between_change_no_figure(thread: Thread) -> None:
    thread.serve("judged", seed=1)
    thread.serve("other", seed=2)
    alone = thread.judge()

    def client(job: Job, number: int) -> None:
        rows = RowBatch(thread.base, thread.adapters)
        prompt = thread.base.tokenizer.encode_prompt("The bees")
        rows.add(prompt, GREEDY, "other" if number % 2 else None)
        while rows.has_work:
            rows.turn()

    thread.on_way = client
    assert thread.judge() == alone
