"""The demo's service, and the guide's: a child process with its own session, started, waited for
and ended.

The passphrase goes through a pipe. The child ends with its parent, even when that is killed.
"""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

import click

import daemon
from daemon.cli.demo_interrupts import Interrupts
from daemon.cli.errors import DemoServiceDied, DemoServiceSlow
from daemon.cli.kinship import adopt_orphans
from daemon.cli.passphrase import VARIABLE
from daemon.cli.process_tree import descendants, read_parents

READY_SECONDS = 60.0  # a second is usual; a machine may be busy
STOP_SECONDS = 5.0  # to end by itself; its vault survives being killed
GOING_SECONDS = 2.0  # from closing its sockets to being gone
LAST_LINES = 10  # of its log, when it ended without a sentence
SERVICE_COMMAND = (sys.executable, "-P", "-m", "daemon.cli", "run")


class DemoService:
    """A running `nightloom run`. Made by `start`, ended by the `cleanup` given there."""

    def __init__(self, process: "subprocess.Popen[bytes]", messages: IO[bytes]) -> None:
        self._process = process
        self._messages = messages  # what it wrote to stderr
        self._out = process.stdout
        self._drain = threading.Thread(target=self._read_on, name="service output", daemon=True)

    @classmethod
    def start(
        cls, home: Path | None, passphrase: str | None, cleanup: ExitStack, interrupts: Interrupts
    ) -> "DemoService":
        """Starts the service and waits until it can be asked.

        Args:
            home: None is the home that the environment names.
            passphrase: without one the service runs locked where no slot opens by itself.

        Raises `DemoServiceDied` and `DemoServiceSlow`.
        """
        adopt_orphans()
        messages = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the service
        cleanup.callback(messages.close)
        reading, writing = os.pipe()
        try:
            with interrupts.held():
                pipe = None if passphrase is None else reading
                service = cls(_spawn(home, pipe, messages), messages)
                cleanup.callback(service.stop)
            if passphrase is not None:
                os.write(writing, passphrase.encode())
        finally:
            os.close(reading)
            os.close(writing)
        service._wait_until_ready()
        return service

    def has_ended(self) -> bool:
        """Whether it is gone; waits a little for one that is going."""
        try:
            self._process.wait(GOING_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        return True

    def pass_on_messages(self) -> None:
        """Prints why the service ended, from its stderr; that never holds a user's text."""
        self._messages.seek(0)
        lines = self._messages.read().decode("utf-8", "replace").splitlines()
        said = [line for line in lines if line.startswith("nightloom: ")]
        for line in said or lines[-LAST_LINES:]:
            click.echo(line, err=True)

    def stop(self) -> None:
        """Ends the service and whatever it started; first politely."""
        processes = descendants(self._process.pid)
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _end_orphans(processes, session=self._process.pid)
        if self._drain.is_alive():
            self._drain.join()  # the pipe is at its end now
        if self._out is not None:
            self._out.close()

    def _wait_until_ready(self) -> None:
        assert self._out is not None
        deadline = time.monotonic() + READY_SECONDS
        said = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            while b"ready" not in said.splitlines():
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise DemoServiceSlow
                piece = os.read(self._out.fileno(), 4096)
                if not piece:
                    self.pass_on_messages()
                    raise DemoServiceDied
                said += piece
        self._drain.start()

    def _read_on(self) -> None:
        """Nobody needs the rest, but the pipe must not fill up."""
        assert self._out is not None
        while os.read(self._out.fileno(), 4096):
            pass


def _spawn(
    home: Path | None, passphrase_pipe: int | None, messages: IO[bytes]
) -> "subprocess.Popen[bytes]":
    code = Path(daemon.__file__).parents[1]  # the child runs the same code, from anywhere
    environment = {name: text for name, text in os.environ.items() if name != VARIABLE}
    environment |= {"PYTHONPATH": str(code)}
    if home is not None:
        environment |= {"NIGHTLOOM_HOME": str(home)}
    words = [*SERVICE_COMMAND, "--die-with", str(os.getpid())]
    if passphrase_pipe is not None:
        words += ["--passphrase-file", f"/dev/fd/{passphrase_pipe}"]
    return subprocess.Popen(
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=messages,
        pass_fds=() if passphrase_pipe is None else (passphrase_pipe,),
        start_new_session=True,  # Ctrl-C in the terminal is the demo's to handle
    )


def _end_orphans(processes: list[int], *, session: int) -> None:
    """Kills what the service left: its processes that became our children, or its session."""
    if sys.platform != "linux":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(session, signal.SIGKILL)
        return
    own = os.getpid()
    while orphans := [
        pid
        for pid, parent in read_parents().items()
        if parent == own and (pid in processes or _session(pid) == session)
    ]:
        for pid in orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
