"""A socket that comes where nothing tells of it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from watchdog.observers import Observer

from daemon import socket_waiting


async def test_a_folder_that_another_one_takes_the_place_of_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a file system is mounted over it: what was watched tells nothing any more."""
    watching = asyncio.Event()

    class Telling(Observer):  # type: ignore[misc, valid-type]
        def schedule(self, *args: Any, **kwargs: Any) -> Any:
            scheduled = super().schedule(*args, **kwargs)
            watching.set()
            return scheduled

    monkeypatch.setattr(socket_waiting, "Observer", Telling)
    monkeypatch.setattr(socket_waiting, "LONGEST_SECONDS", 0.05)
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    run = tmp_path / "run"
    run.symlink_to("before")
    waiting = asyncio.create_task(socket_waiting.until_there(run / "bus"))
    await watching.wait()
    (tmp_path / "after" / "bus").touch()
    (tmp_path / "next").symlink_to("after")
    (tmp_path / "next").rename(run)
    await waiting
