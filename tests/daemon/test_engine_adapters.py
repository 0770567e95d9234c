"""Adapters that are taken away while they are just being brought to the engine."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from daemon.engine_adapters import AdapterHolder, EngineAdapters
from daemon.engine_process import EngineProcess
from daemon.errors import AdapterTakenAway
from daemon.loaded_adapters import AdapterBounds
from ipc.link import Message

DIGEST = "ab" * 32


class Process:
    """What the engine was asked."""

    gone = False

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(self, op: str, *_: Any) -> AsyncGenerator[Message, None]:
        self.asked.append(op)
        yield Message(header={"event": "done"})


async def test_what_is_taken_away_while_it_is_opened_never_reaches_the_engine() -> None:
    opening, opened = asyncio.Event(), asyncio.Event()

    async def weights(_: str) -> bytes:
        opening.set()
        await opened.wait()
        return b"weights"

    process = Process()
    holder = AdapterHolder(cast("EngineProcess", process), AdapterBounds())
    adapters = EngineAdapters(weights)

    async def use() -> None:
        async with adapters.having(holder, frozenset({DIGEST})):
            pass

    using = asyncio.create_task(use())
    await opening.wait()
    adapters.take_away({DIGEST})
    assert DIGEST in holder.sent
    purging = asyncio.create_task(adapters.purge(holder, {DIGEST}, seconds=60.0))
    opened.set()
    with pytest.raises(AdapterTakenAway):
        await using
    assert await purging
    assert "adapter_load" not in process.asked
    assert DIGEST not in holder.adapters
