"""Which version answers: fixed when a request comes in, from the shelf as it is then."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.bases import Bases
from daemon.chosen_base import ChosenBase
from daemon.engine_handle import EngineHandle, EngineState
from daemon.errors import UnknownBase
from daemon.fair_queue import FairQueue, QueuePolicy
from daemon.serving import Pinned, Serving, choose_version
from daemon.vault_door import VaultDoor
from ipc.errors import UnknownModel, VaultLocked
from ipc.inference import Finished, GenerationRequest, Sampling, Started, TextPiece
from ipc.link import Message
from storage.keys import Argon2Parameters
from storage.records import AdapterStatus, PublishedAdapter
from storage.vault import Vault
from tests.storage.making import MEASURED, PASSPHRASE

OURS, THEIRS = "a" * 64, "b" * 64
BASE = Pinned(label="base", adapter=None)


def adapter(
    digit: str, status: AdapterStatus = AdapterStatus.AVAILABLE, base: str = OURS
) -> PublishedAdapter:
    return PublishedAdapter(
        sha256=digit * 64, base=base, parent=None, trained_at=1.0, status=status,
        seen_items=frozenset(), measured=MEASURED,
    )  # fmt: skip


def pinned(digit: str) -> Pinned:
    return Pinned(label=f"personal@{digit * 12}", adapter=digit * 64)


CURRENT = adapter("1", AdapterStatus.CURRENT)
SHELF = [adapter("2"), CURRENT, adapter("3", AdapterStatus.WITHDRAWN), adapter("4", base=THEIRS)]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("base", BASE),
        ("personal", pinned("1")),
        ("personal@" + "1" * 12, pinned("1")),
        ("personal@" + "2" * 6, pinned("2")),
        ("personal@" + "2" * 64, pinned("2")),
    ],
)
def test_a_model_is_the_base_or_one_adapter_of_it(model: str, expected: Pinned) -> None:
    assert choose_version(model, SHELF, OURS) == expected


def test_without_an_adapter_in_use_the_base_answers() -> None:
    assert choose_version("personal", [], OURS) == BASE
    assert choose_version("personal", [adapter("2")], OURS) == BASE


def test_an_adapter_in_use_of_another_base_does_not_answer_and_the_base_does() -> None:
    assert choose_version("personal", SHELF, THEIRS) == BASE


def test_asked_for_by_its_digest_an_adapter_of_another_base_is_named_as_such() -> None:
    with pytest.raises(UnknownModel, match="444444444444 belongs to another base"):
        choose_version("personal@" + "4" * 12, SHELF, OURS)
    assert choose_version("personal@" + "4" * 12, SHELF, THEIRS) == pinned("4")


@pytest.mark.parametrize(
    "model",
    [
        "",
        "gpt-9",
        "personal@",
        "personal@" + "1" * 5,
        "personal@" + "9" * 12,
        "personal@" + "3" * 12,  # withdrawn
        "1" * 12,
    ],
)
def test_other_names_are_unknown(model: str) -> None:
    with pytest.raises(UnknownModel, match="no model of that name"):
        choose_version(model, SHELF, OURS)


def test_two_adapters_that_begin_alike_are_not_guessed_between() -> None:
    with pytest.raises(UnknownModel):
        choose_version("personal@" + "5" * 12, [adapter("5"), adapter("5")], OURS)


# --------------------------------------------------------------------------- polls


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[VaultDoor]:
    quick = Argon2Parameters(time_cost=1, memory_kib=64, lanes=1)
    vault, _ = Vault.create(tmp_path / "vault", passphrase=PASSPHRASE, argon2=quick)
    door = VaultDoor(vault)
    yield door
    await door.close()


async def no_weights(_digest: str) -> bytes:
    raise AssertionError("no adapter is asked for")


async def test_polls_of_the_models_leave_the_engine_alone(
    door: VaultDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bases = Bases(tmp_path / "bases")
    missing = ChosenBase(bases, "missing")
    engine = EngineHandle(base_folder=missing.folder, weights=no_weights, idle_seconds=3600)
    base = ChosenBase(bases, "builtin")
    serving = Serving(vault=door, engine=engine, base=base, started_at=7)
    loop, timers = asyncio.get_running_loop(), list[asyncio.TimerHandle]()
    call_later = loop.call_later

    def noted(*given: Any, **named: Any) -> asyncio.TimerHandle:
        timers.append(call_later(*given, **named))
        return timers[-1]

    with monkeypatch.context() as patch:
        patch.setattr(loop, "call_later", noted)
        with pytest.raises(UnknownBase):
            await engine.load()  # after which the idle time runs
        for _ in range(3):
            assert [info.id for info in await serving.models()] == ["personal", "base"]
            assert (engine.state, engine.process_id) == (EngineState.STOPPED, None)
            assert (engine.base, engine.resident_bytes()) == (None, 0)
    (idle,) = timers
    assert not idle.cancelled()
    await engine.stop()
    assert idle.cancelled()


async def test_models_of_a_locked_vault_are_not_told(tmp_path: Path) -> None:
    base = ChosenBase(Bases(tmp_path / "bases"), "builtin")
    engine = EngineHandle(base_folder=base.folder, weights=no_weights)
    serving = Serving(vault=VaultDoor(), engine=engine, base=base, started_at=7)
    with pytest.raises(VaultLocked):
        await serving.models()


# --------------------------------------------------------------------------- choices


class Engine:
    """Answers each request with its seed."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.inside = self.most_inside = 0

    async def request(
        self, _op: str, parameters: dict[str, Any], _body: bytes, *, adapters: list[str]
    ) -> AsyncIterator[Message]:
        self.asked.append(parameters)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            yield Message(header={"event": "started", "prompt_tokens": 3})
            await asyncio.sleep(0)
            yield Message(header={"event": "text"}, body=str(parameters["seed"]).encode())
            yield Message(header={"event": "done", "reason": "stop", "completion_tokens": 1})
        finally:
            self.inside -= 1


async def test_choices_that_find_no_room_wait_for_each_other(
    door: VaultDoor, tmp_path: Path
) -> None:
    engine: Any = Engine()
    queue = FairQueue(QueuePolicy(at_once=2, waiting=0, newcomers=1))
    base = ChosenBase(Bases(tmp_path / "bases"), "builtin")
    serving = Serving(vault=door, engine=engine, base=base, started_at=7, queue=queue)
    request = GenerationRequest(model="base", prompt="x", sampling=Sampling(seed=5), choices=8)
    events = [event async for event in serving.generate(request)]
    assert isinstance(events[0], Started)
    texts = {event.choice: event.text for event in events if isinstance(event, TextPiece)}
    assert texts == {choice: str(5 + choice) for choice in range(8)}
    assert sum(isinstance(event, Finished) for event in events) == 8
    assert (engine.most_inside, engine.inside, queue.inside, queue.waiting) == (2, 0, 0, 0)
