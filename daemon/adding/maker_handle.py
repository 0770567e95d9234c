"""The command's side of the maker: start it, ask it, end it.

The maker reads hostile files, so what it answers is held to be words and numbers, no more.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from daemon.adding.errors import (
    AddingError,
    BaseNotMade,
    BaseRefused,
    MakerDied,
    MakerStopped,
)
from daemon.engine_process import engine_environment
from ipc.errors import LinkError
from ipc.link import BlockingLink, Message, link_sockets

Json = dict[str, Any]
Progress = Callable[[int, int], None]

BY_POLICY = frozenset({"BaseWantsCode", "PickleWeights"})
PASSING = frozenset({"DiskFull", "broken"})  # another try may end otherwise
ANSWER_LIMIT_BYTES = 1 << 20


def unwatched(done: int, total: int) -> None:
    """The progress that nobody looks at."""


class MakerHandle:
    """One maker; it runs while the context is entered."""

    def __enter__(self) -> Self:
        ours, theirs = link_sockets()
        with ExitStack() as undo, theirs:
            undo.callback(ours.close)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "daemon.adding.maker", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=engine_environment(os.environ),
                process_group=0,  # Ctrl-C is the command's to answer
            )
            undo.pop_all()
        self._link = BlockingLink(ours, limit=ANSWER_LIMIT_BYTES)
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()
        self._process.kill()  # what it has done is on the disk
        self._process.wait()

    def check(self, source: Path) -> str:
        """The architecture, from the config alone.

        Raises:
            BaseRefused, BaseNotMade, MakerDied: also for all that follow.
        """
        return str(self._ask("check", source=str(source))["architecture"])

    def open(self, source: Path, folder: Path) -> Json:
        """`shards`, `waiting`, `size_bytes`, `plain_template`."""
        return self._ask("open", source=str(source), folder=str(folder))

    def check_present(self) -> None:
        """All shards are in the source's folder, with what they should hold."""
        self._ask("present")

    def take(self, shard: str, progress: Progress = unwatched) -> None:
        """Put a shard into the base; done and total are tensors."""
        self._ask("take", progress, shard=shard)

    def finish(self, progress: Progress = unwatched, **facts: str) -> Json:
        """The base's facts; done and total are bytes that are read once more."""
        return self._ask("finish", progress, **facts)

    def _ask(self, op: str, progress: Progress = unwatched, **asked: str) -> Json:
        try:
            self._link.send(Message(header={"op": op, **asked}))
            while (answer := self._link.receive().header)["event"] == "at":
                progress(int(answer["done"]), int(answer["total"]))
        except LinkError:
            raise MakerDied from None
        if answer["event"] == "done":
            return dict(answer["answer"])
        raise _failure(str(answer["code"]))(str(answer["sentence"]))


def _failure(code: str) -> type[AddingError]:
    if code in BY_POLICY:
        return BaseRefused
    return MakerStopped if code in PASSING else BaseNotMade
