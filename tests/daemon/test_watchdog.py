"""The watchdog: it is told that all is well when the loop runs and the engine answers."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon import watchdog
from daemon.engine import Desk, Reader
from daemon.engine_handle import EngineHandle
from daemon.sd_notify import Notifier
from ipc.link import BlockingLink, Message

EVERY = 60.0
SILENT = """
import socket, sys
from ipc.link import BlockingLink, Message

link = BlockingLink(socket.socket(fileno=int(sys.argv[1])))
while True:
    asked = link.receive().header
    if asked["op"] == "load":
        link.send(Message(header={"id": asked["id"], "event": "done", "identity": "a", "name": "b",
                                  "context_tokens": 9, "parameters": 9, "network_denied": True}))
"""


class Engine:
    """Answers as it is told to."""

    def __init__(self, *answers: bool) -> None:
        self.left = list(answers)
        self.killed = 0
        self.seconds: list[float] = []

    async def answers(self, *, seconds: float) -> bool:
        self.seconds.append(seconds)
        return self.left.pop(0)

    async def kill(self) -> None:
        self.killed += 1


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        yield sock


def heard(manager: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(manager.recv(4096).decode())
        except BlockingIOError:
            return found


async def rounds(engine: Engine, notifier: Notifier, count: int) -> list[float]:
    """As many rounds; how long it wanted to sleep after each."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == count:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await watchdog.keep_telling(notifier, engine, lambda: "waiting", sleep=sleep)
    return slept


async def test_a_service_that_is_well_says_so_three_times_as_often_as_it_must(
    manager: socket.socket,
) -> None:
    engine = Engine(True, True)
    notifier = Notifier(address=manager.getsockname(), watchdog_seconds=3 * EVERY)

    assert await rounds(engine, notifier, 2) == [EVERY, EVERY]
    assert heard(manager) == ["WATCHDOG=1", "STATUS=waiting"] * 2
    assert engine.seconds == [EVERY, EVERY]  # together less than the manager waits


async def test_an_engine_that_does_not_answer_is_ended(manager: socket.socket) -> None:
    engine = Engine(False, True)
    notifier = Notifier(address=manager.getsockname(), watchdog_seconds=3 * EVERY)

    await rounds(engine, notifier, 2)

    assert engine.killed == 1


async def test_nothing_runs_where_nobody_listens() -> None:
    before = asyncio.all_tasks()
    async with watchdog.watched(Notifier(), Engine(), lambda: "waiting"):
        assert asyncio.all_tasks() == before


async def test_the_watch_ends_with_the_service(manager: socket.socket) -> None:
    notifier = Notifier(address=manager.getsockname(), watchdog_seconds=3 * EVERY)
    before = asyncio.all_tasks()
    async with watchdog.watched(notifier, Engine(True), lambda: "waiting"):
        assert len(asyncio.all_tasks()) == len(before) + 1
    assert asyncio.all_tasks() == before


async def test_a_watch_that_breaks_says_so(
    manager: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(address=manager.getsockname(), watchdog_seconds=3 * EVERY)
    async with watchdog.watched(notifier, Engine(), lambda: "waiting"):  # it has no answer left
        (watch,) = [task for task in asyncio.all_tasks() if task.get_name() == "watchdog"]
        await asyncio.wait({watch})

    assert "nothing is told to the manager any more: IndexError" in caplog.text


# --------------------------------------------------------------------------- the engine's side


def test_the_engine_answers_while_its_model_works() -> None:
    ours, theirs = socket.socketpair()
    service, engine = BlockingLink(ours), BlockingLink(theirs)
    desk = Desk()  # from which nobody takes anything
    reading = threading.Thread(target=Reader(engine, desk).run)
    reading.start()

    service.send(Message(header={"id": 1, "op": "train", "parameters": {}}))
    service.send(Message(header={"id": 2, "op": "ping", "parameters": {}}))

    assert service.receive().header == {"id": 2, "event": "done"}
    service.close()
    reading.join()
    engine.close()


async def test_a_real_engine_that_is_silent_is_noticed_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "daemon").mkdir()
    (tmp_path / "daemon" / "__init__.py").touch()
    (tmp_path / "daemon" / "engine.py").write_text(SILENT)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")

    async def weights(digest: str) -> bytes:
        raise AssertionError

    engine = EngineHandle(base_folder=lambda: tmp_path, weights=weights)
    assert await engine.answers(seconds=0.0)  # there is none, and nothing to wait for
    await engine.load()

    assert not await engine.answers(seconds=0.01)
    await engine.kill()
    assert engine.process_id is None
