"""An engine that is no longer ours to trust: a real process that says what it likes on the link."""

import os
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon import engine_process
from daemon.engine_handle import EngineHandle, EngineState
from daemon.errors import EngineDied, EngineFlooded
from tests.pipeline.living import is_alive

ROOT = Path(__file__).parents[2]
LIMIT_BYTES = 1 << 20
HOSTILE = """
import itertools, socket, sys
from ipc.link import BlockingLink, Message

link = BlockingLink(socket.socket(fileno=int(sys.argv[1])))

def say(number, event, body=b"", **facts):
    link.send(Message(header={"id": number, "event": event, **facts}, body=body))

while True:
    asked = link.receive().header
    number = asked["id"]
    if asked["op"] == "load":
        say(number, "done", identity="a", name="b", context_tokens=9, parameters=9,
            network_denied=True)
    elif asked["op"] == "begin":
        say(number, "started")
    elif asked["op"] == "flood":
        say(number, "started")
        for _ in itertools.count():
            say(number, "text", **FLOOD)
    elif asked["op"] == "stray":
        for _ in range(2000):
            say(number + 1000, "text", body=bytes(1000))
            say("no number", "text", body=bytes(1000))
        say(number, "done")
"""


@pytest.fixture
async def hostile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[EngineHandle]:
    """Started as any engine is, and found before ours."""
    code = textwrap.dedent(HOSTILE).replace("FLOOD", repr(getattr(request, "param", {})))
    (tmp_path / "daemon").mkdir()
    (tmp_path / "daemon" / "__init__.py").touch()
    (tmp_path / "daemon" / "engine.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    monkeypatch.setattr(engine_process, "WAITING_LIMIT_BYTES", LIMIT_BYTES)

    async def weights(digest: str) -> bytes:
        raise AssertionError

    engine = EngineHandle(base_folder=lambda: tmp_path, weights=weights)
    yield engine
    await engine.stop()


@pytest.mark.parametrize(
    "hostile",
    [{}, {"body": bytes(100_000)}, {"word": "x" * 50_000}],
    ids=["messages", "bodies", "headers"],
    indirect=True,
)
async def test_an_engine_that_sends_without_end_is_ended_and_the_next_one_asked(
    hostile: EngineHandle,
) -> None:
    bystander = hostile.request("begin")
    assert (await anext(bystander)).header["event"] == "started"
    flooding = hostile.process_id
    assert flooding is not None

    answer = hostile.request("flood")
    assert (await anext(answer)).header["event"] == "started"
    with pytest.raises(EngineDied):
        await anext(bystander)
    with pytest.raises(EngineFlooded, match="more than it was asked for"):
        await anext(answer)
    assert hostile.state is EngineState.STOPPED

    assert (await hostile.load()).identity == "a"
    assert hostile.process_id != flooding
    assert not is_alive(flooding)


async def test_answers_to_nobody_are_dropped(hostile: EngineHandle) -> None:
    assert (await hostile.ask("stray", {})).header["event"] == "done"
    assert hostile.state is EngineState.SERVING
