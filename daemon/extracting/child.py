"""The confined child: `python -m daemon.extracting.child FD`. Forks a worker for each file.

Keeps the parsers loaded, reads no file itself, and sees to its workers: one ends with its file, or
when the service hangs up. It ends, with all of them, when the service closes the socket.

    request    u32 length | JSON {"function", "facts", "limits", "seconds"}
               with three descriptors: the file, the socket for answers, the socket of its keeper
    to the keeper's socket    one JSON object per line:
               {"unknown": true} | {"started": true}, then
               {"exited": wait status, "peak_bytes", "cpu_seconds"}
"""

import array
import gc
import json
import os
import pkgutil
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from typing import Any

from daemon.extracting.extracted import Facts
from daemon.extracting.limits import Limits
from daemon.extracting.sandbox import confine_parent, confine_worker
from daemon.extracting.worker import Extract, read_one

LENGTH = struct.Struct("!I")
REQUEST_BYTES = 1 << 20
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss


class Child:
    """The warm parent. `requests` is the socket to the service."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._woken, wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(wake, False)
        self._wake = wake
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._keepers: dict[int, socket.socket] = {}  # by the worker's process id
        self._poll = select.poll()
        self._poll.register(requests, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)

    def run(self) -> None:
        """Until the service hangs up."""
        try:
            self._serve()
        finally:
            for process in self._keepers:
                os.kill(process, signal.SIGKILL)

    def _serve(self) -> None:
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._requests.fileno():
                    if not self._take():
                        return
                elif descriptor == self._woken:
                    with suppress(BlockingIOError):
                        os.read(self._woken, 4096)
                else:
                    self._unwanted(descriptor)
            self._reap()

    def _take(self) -> bool:
        """One request; False at the end of all."""
        got = _receive(self._requests)
        if got is None:
            return False
        request, (file, answers, keeper_number) = got
        keeper = _unix(keeper_number)
        try:
            extract = _found(request["function"])
            if extract is None:
                _say(keeper, {"unknown": True})
                return True
            process = self._fork(extract, request, file, answers, keeper)
            self._keepers[process] = keeper
            self._poll.register(keeper, select.POLLIN)
            _say(keeper, {"started": True})
        finally:
            os.close(file)
            os.close(answers)
            if keeper not in self._keepers.values():
                keeper.close()
        return True

    def _fork(
        self,
        extract: Extract,
        request: dict[str, Any],
        file: int,
        answers: int,
        keeper: socket.socket,
    ) -> int:
        parent = os.getpid()
        gc.freeze()  # so that the worker's collector leaves shared pages alone
        process = os.fork()
        if process:
            return process
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._requests.close()
            keeper.close()
            os.close(self._woken)
            os.close(self._wake)
            for other in self._keepers.values():
                other.close()
            limits = Limits(**request["limits"])
            told = request["facts"]
            facts = Facts(**{**told, "me": tuple(told["me"])})
            confine_worker(limits, request["seconds"], parent)
            read_one(extract, file, _unix(answers), facts, limits)
        finally:
            os._exit(0)  # nothing of the parent's is to be done twice

    def _unwanted(self, descriptor: int) -> None:
        """A keeper hung up, or said something, which none does: its worker ends."""
        for process, keeper in self._keepers.items():
            if keeper.fileno() == descriptor:
                self._poll.unregister(keeper)
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                return

    def _reap(self) -> None:
        while self._keepers:
            process, status, usage = os.wait4(-1, os.WNOHANG)
            if process == 0:
                return
            keeper = self._keepers.pop(process)
            with suppress(KeyError):
                self._poll.unregister(keeper)
            words = {
                "exited": status,
                "peak_bytes": usage.ru_maxrss * PEAK_UNIT,
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
            }
            _say(keeper, words)
            keeper.close()


def _receive(requests: socket.socket) -> tuple[dict[str, Any], tuple[int, int, int]] | None:
    numbers = array.array("i")
    room = socket.CMSG_SPACE(3 * numbers.itemsize)
    start, ancillary, _, _ = requests.recvmsg(LENGTH.size, room)
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(data)
    if len(start) < LENGTH.size or len(numbers) != 3:
        return None
    (left,) = LENGTH.unpack(start)
    pieces = []
    while left > 0:
        piece = requests.recv(min(left, REQUEST_BYTES))
        if not piece:
            return None
        pieces.append(piece)
        left -= len(piece)
    return json.loads(b"".join(pieces)), (numbers[0], numbers[1], numbers[2])


def _unix(descriptor: int) -> socket.socket:
    """Without asking the system what it is, which is not allowed here."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=descriptor)


def _found(name: str) -> Extract | None:
    """The function of a format; None where a library that it needs is not installed."""
    try:
        return pkgutil.resolve_name(name)  # type: ignore[no-any-return]
    except (ImportError, AttributeError):
        return None


def _say(keeper: socket.socket, words: dict[str, Any]) -> None:
    with suppress(OSError):  # it hung up
        keeper.sendall(json.dumps(words).encode("ascii") + b"\n")


def main() -> int:
    child = Child(_unix(int(sys.argv[1])))
    if not confine_parent():
        return 1  # better no text than a parser without walls
    child.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
