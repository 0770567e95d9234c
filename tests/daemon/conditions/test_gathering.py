"""Providers side by side: one that breaks is unknown and tried again, and no one stops another."""

import asyncio
import logging

import pytest

from daemon.conditions import gathering
from daemon.conditions.board import Board
from daemon.conditions.gathering import Gathering
from daemon.conditions.reading import Reading, Tell


class Breaking:
    """Tells that all is well, breaks, and tells it again the next time."""

    names = ("memory", "disk")

    def __init__(self) -> None:
        self.runs = 0

    async def run(self, tell: Tell) -> None:
        self.runs += 1
        for name in self.names:
            tell(Reading(name=name, holds=True, value=f"run {self.runs}", threshold=""))
        if self.runs == 1:
            raise OSError("/home/somebody/secret cannot be read")
        await asyncio.Event().wait()


async def test_a_provider_that_breaks_is_unknown_and_tried_again_whoever_listens(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(gathering, "AGAIN_SECONDS", 0.0)
    board = Board(Breaking.names, clock=lambda: 0.0, steady=lambda: 0.0)
    seen: list[tuple[bool | None, ...]] = []
    again = asyncio.Event()

    def listening() -> None:
        seen.append(tuple(one.reading.holds for one in board.standings))
        if seen[-1] == (True, True) and (None, None) in seen:
            again.set()
        raise ValueError("a secret of a listener")

    board.on_change(listening)
    gathered = Gathering(board, (Breaking(),))
    gathered.start()
    await again.wait()
    await gathered.close()

    assert (None, None) in seen[2:]  # after it had told that all is well
    assert "OSError" in caplog.text
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text
