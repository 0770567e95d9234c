"""The service's end of one child, and of one file that it works on. Checks nothing of the answers.

Time is counted only while somebody waits for the worker: a worker that has to wait for its reader
does not run out of it.
"""

import array
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import ExtractionFailed
from daemon.extracting.extracted import Facts
from daemon.extracting.limits import Limits
from daemon.extracting.wire import most_bytes_of
from ipc.errors import BadFrame
from ipc.frames import Assembler, Message
from ipc.link import link_sockets

START_SECONDS = 120.0  # for loading a library, on a machine that is busy with other things
END_SECONDS = 10.0  # for word of how a worker ended
MOST_WORDS = 1_000  # bytes of what the child says of a worker
KEPT_VARIABLES = ("LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PYTHONPATH", "TZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be done with a file."""

    function: str  # module:function
    facts: Facts
    limits: Limits
    seconds: float = field(default=30.0)

    def encoded(self) -> bytes:
        return json.dumps(asdict(self)).encode("ascii")


class ChildGoneError(Exception):
    """The child ended before it took the file."""


class ChildHandle:
    """A running child. Files may be given to it from any thread."""

    def __init__(self, process: "subprocess.Popen[bytes]", requests: socket.socket) -> None:
        self._process = process
        self._requests = requests
        self._sending = threading.Lock()
        self._ending = threading.Lock()

    @classmethod
    def start(cls) -> Self:
        """Raises OSError: the system gives no process, or no sockets."""
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as undo, theirs:
            undo.callback(ours.close)
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",  # what lies in the current folder is not ours to import
                    "-m",
                    "daemon.extracting.child",
                    str(theirs.fileno()),
                ],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # what parsers say of a file holds its text
                env=child_environment(os.environ),
                cwd="/",
                start_new_session=True,  # Ctrl-C is the service's to answer
            )
            undo.pop_all()
        return cls(process, ours)

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def gone(self) -> bool:
        return self._process.poll() is not None

    def begin(self, descriptor: int, order: Order) -> "Work":
        """Have a worker read an open file.

        Raises:
            ChildGoneError: no worker took it.
            ExtractionFailed: the format's module cannot be loaded.
            OSError: there are no sockets.
        """
        with contextlib.ExitStack() as undo:
            answers, theirs = (undo.enter_context(one) for one in link_sockets())
            keeper, child_end = (undo.enter_context(one) for one in socket.socketpair())
            handed = array.array("i", (descriptor, theirs.fileno(), child_end.fileno()))
            told = order.encoded()
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, handed.tobytes())
            try:
                with self._sending:
                    start = len(told).to_bytes(4, "big")
                    self._requests.sendmsg([start], [rights])
                    self._requests.sendall(told)
            except OSError:
                raise ChildGoneError from None
            theirs.close()
            child_end.close()
            work = Work(answers, keeper, order)
            work.await_start()
            undo.pop_all()
        return work

    def end(self) -> None:
        """Kill it, with its workers. May be called again, and by many."""
        with self._ending:
            if self._process.poll() is None:  # else its number may be another's by now
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._requests.close()


class Work:
    """A file in the hands of a worker. One thread at a time."""

    def __init__(self, answers: socket.socket, keeper: socket.socket, order: Order) -> None:
        answers.setblocking(False)
        self._answers = answers
        self._keeper = keeper
        self._order = order
        self._left = order.seconds
        self._assembler = Assembler(limit=most_bytes_of(order.limits))
        self._heard = b""

    def await_start(self) -> None:
        """Until a worker has the file, which waits for libraries to be loaded."""
        words = self._words(START_SECONDS)
        if "unknown" in words:
            raise ExtractionFailed(SkipReason.UNKNOWN_FORMAT)
        if "started" not in words:
            raise ChildGoneError

    def receive(self) -> Message:
        """The next message of the worker.

        Raises:
            ExtractionFailed: it died, it lied, or time is up.
        """
        begun = time.monotonic()
        try:
            return self._received(begun + self._left)
        finally:
            self._left -= time.monotonic() - begun

    def _received(self, deadline: float) -> Message:
        """Also crumbs that keep coming have to end by then."""
        while (left := deadline - time.monotonic()) > 0:
            try:
                count = self._answers.recv_into(self._assembler.wanted())
                if count == 0:
                    raise ExtractionFailed(self._why_it_ended())
                message = self._assembler.filled(count)
            except BlockingIOError:
                _readable(self._answers, left)
            except ConnectionError:
                raise ExtractionFailed(self._why_it_ended()) from None
            except BadFrame:
                raise ExtractionFailed(SkipReason.DAMAGED) from None
            else:
                if message is not None:
                    return message
        raise ExtractionFailed(SkipReason.TOO_SLOW)

    def close(self) -> None:
        """Hang up; a worker that is still at it is killed."""
        self._answers.close()
        self._keeper.close()

    def _why_it_ended(self) -> SkipReason:
        words = self._words(END_SECONDS)
        if "exited" not in words:
            return SkipReason.UNREADABLE  # the child was ended, through no fault of the file
        status = words["exited"]
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        if number == signal.SIGXCPU or words["cpu_seconds"] >= self._order.seconds:
            return SkipReason.TOO_SLOW
        if number is None:
            return SkipReason.DAMAGED
        # Libraries in C end themselves where memory runs out; the kernel ends who takes too much.
        hungry = words["peak_bytes"] > self._order.limits.address_bytes // 2
        return SkipReason.TOO_HUNGRY if hungry or number == signal.SIGKILL else SkipReason.DAMAGED

    def _words(self, seconds: float) -> Mapping[str, Any]:
        """The next line from the child; none when it is gone."""
        end = time.monotonic() + seconds
        while b"\n" not in self._heard and len(self._heard) < MOST_WORDS:
            if not _readable(self._keeper, end - time.monotonic()):
                return {}
            try:
                piece = self._keeper.recv(MOST_WORDS)
            except ConnectionError:
                return {}
            if not piece:
                return {}
            self._heard += piece
        line, _, self._heard = self._heard.partition(b"\n")
        words: Mapping[str, Any] = json.loads(line)
        return words


def child_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What the child may know of our environment: no home, no names, no passphrase file."""
    kept = {name: value for name, value in ours.items() if name in KEPT_VARIABLES}
    return kept | {
        "HOME": "/nonexistent",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MALLOC_ARENA_MAX": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _readable(sock: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))
