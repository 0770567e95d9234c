"""The asking end of a side: a child process that measures one way of doing things.

One process for each side, because a side's environment, its libraries' state and its peak of
memory are its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from trainer.bench.errors import SideDied, SideFailed

CODE = Path(__file__).parents[2]  # children run the same code, from anywhere
ENGINE_SETTINGS = {"GOMP_SPINCOUNT"}  # of daemon/engine_handle.py


class Side:
    """A side's process; it runs while the context is entered.

    Args:
        name: what it measures, for errors.
        module: run with `-m` as `module PARENT WORD ...`; it serves with `side_loop.serve`.
        words: further arguments.
        files: descriptors that it inherits.
        as_engine: keep the settings that our engine gives its threads; else those are the
            libraries' own.
        python: the interpreter.
    """

    def __init__(
        self,
        name: str,
        module: str,
        words: tuple[str, ...] = (),
        *,
        files: tuple[int, ...] = (),
        as_engine: bool = False,
        python: str = sys.executable,
    ) -> None:
        self._name = name
        self._command = [python, "-P", "-W", "ignore", "-m", module, str(os.getpid()), *words]
        self._files = files
        kept = os.environ if as_engine else os.environ.keys() - ENGINE_SETTINGS
        self._environment = {name: os.environ[name] for name in kept} | {"PYTHONPATH": str(CODE)}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=self._files,
            env=self._environment,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, do: str, **arguments: Any) -> Any:
        """The answer of one operation.

        Raises:
            SideDied, SideFailed
        """
        self.send(do, **arguments)
        return self.receive()

    def send(self, do: str, **arguments: Any) -> None:
        """Ask without waiting, so that several sides can get ready at once."""
        assert self._process.stdin is not None
        try:
            print(json.dumps({"do": do, **arguments}), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise SideDied(self._name) from None

    def receive(self) -> Any:
        """The answer to what was sent."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SideDied(self._name)
        answer = json.loads(line)
        if "failed" in answer:
            raise SideFailed(self._name, answer["failed"])
        return answer["answer"]
