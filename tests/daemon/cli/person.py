"""A person at a pseudo terminal, who runs the command, types at it and reads what it shows."""

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 5.0


class Terminal:
    """The command on a pseudo terminal, typed at and read from like a person does."""

    def __init__(self, *words: str) -> None:
        self._person, program = pty.openpty()
        self.shown = ""
        self._waited_for = 0  # how far into `shown`
        self.process = subprocess.Popen(
            [sys.executable, "-m", "daemon.cli", *words],
            cwd=ROOT,
            stdin=program,
            stdout=program,
            stderr=program,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(program)

    def wait_for(self, words: str) -> None:
        """Reads until it shows `words`, after what was waited for before."""
        while (found := self.shown.find(words, self._waited_for)) < 0:
            assert self._read(), f"it ended without showing {words!r}"
        self._waited_for = found + len(words)

    def interrupt_at_prompt(self, words: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Ctrl-C, and once more like a person where nothing happens: Python misses a signal that
        comes between its showing the prompt and its waiting for a key.
        """
        while True:
            self.process.send_signal(signal.SIGINT)
            if select.select([self._person], [], [], patience_seconds)[0]:
                break
        self.wait_for(words)

    def type(self, line: str) -> None:
        os.write(self._person, line.encode() + b"\n")

    def press(self, keys: str) -> None:
        os.write(self._person, keys.encode())

    def press_ctrl_c(self) -> None:
        self.press("\x03")

    def press_ctrl_d(self) -> None:
        self.press("\x04")

    def end(self) -> int:
        while self._read():
            pass
        return self.process.wait(10)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._person)

    def _read(self) -> str:
        try:
            piece = os.read(self._person, 4096).decode(errors="replace")
        except OSError:  # the other end is closed
            piece = ""
        self.shown += piece
        return piece


Open = Callable[..., Terminal]
