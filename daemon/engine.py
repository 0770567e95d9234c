"""The engine process: one base, one model thread, a link to the service and nothing else.

Started by `engine_handle.py` as `python -m daemon.engine FD`. The main thread reads the link and
puts work into a queue; the model thread does it in turn. Work that a client waits for goes first:
it takes the model from a running night at the next layer's border. So does a word to hold: patient
work rests then, with all that it has in memory, and clients are still served. An adapter's bytes
are made ready by a third thread (`engine_unpacking.py`), so that the model thread never waits for
them. The process never sees a key, the vault or the network (which it denies itself before it reads
anything).
"""

import contextlib
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from daemon.confinement import confine_engine
from daemon.engine_unpacking import UNPACKED, Unpacking
from ipc.errors import LinkError
from ipc.link import BlockingLink, Message

CHATS = frozenset({"generate"})
WORDS = frozenset({"hold", "go_on"})  # to patient work
URGENT = CHATS | WORDS | {"adapter_load", "adapter_drop", "tokenise"}
PING = "ping"  # is anybody there?
CONTROL = frozenset({"cancel", "stop_training"})


class Job:
    """One request: its parameters, what was attached to it, and whether it is still wanted."""

    def __init__(self, number: int, op: str, parameters: dict[str, Any], body: bytes) -> None:
        self.number = number
        self.op = op
        self.parameters = parameters
        self.body = body
        self.attachments: list[Message] = []
        self.unpacked: Any = None  # what `engine_unpacking.py` made of the body
        self.cancelled = threading.Event()
        self.stop = threading.Event()

    @property
    def unwanted(self) -> bool:
        """Whether somebody asked for its end."""
        return self.cancelled.is_set() or self.stop.is_set()


class Desk:
    """The queue between the thread that reads and the thread that works."""

    def __init__(self) -> None:
        self._urgent: deque[Job] = deque()
        self._patient: deque[Job] = deque()
        self._running: dict[int, Job] = {}
        self._changed = threading.Condition()
        self._closed = False
        # both are touched by the model thread only
        self.held = False  # patient work rests
        self.chats_wait = False  # patient work goes before chats that are not begun
        self.unpack: Callable[[Job], Any] | None = None  # see `engine_unpacking.py`

    def put(self, job: Job) -> None:
        with self._changed:
            (self._urgent if job.op in URGENT else self._patient).append(job)
            self._running[job.number] = job
            self._changed.notify_all()

    def expect(self, job: Job) -> None:
        """It is put here soon; who asks for its end meanwhile finds it."""
        with self._changed:
            self._running[job.number] = job

    def put_back(self, job: Job) -> None:
        """An urgent job that was taken and not begun: it is the next again."""
        with self._changed:
            self._urgent.appendleft(job)

    def find(self, number: int) -> Job | None:
        with self._changed:
            return self._running.get(number)

    def close(self) -> None:
        """No more work comes; what runs is asked to stop."""
        with self._changed:
            self._closed = True
            for job in self._running.values():
                job.cancelled.set()
                job.stop.set()
            self._changed.notify_all()

    def urgent_waits(self, *, chats: bool = True) -> bool:
        """Whether there is urgent work, or urgent work that is no chat; or the end."""
        return self._closed or (
            bool(self._urgent) if chats else any(job.op not in CHATS for job in tuple(self._urgent))
        )

    def take_urgent(self, *, chats: bool = True) -> Job | None:
        """The next urgent job, if there is one, or the next that is no chat."""
        return self._take_where(lambda job: chats or job.op not in CHATS)

    def take_chat(self) -> Job | None:
        """The next chat, if there is one."""
        return self._take_where(lambda job: job.op in CHATS)

    def _take_where(self, wanted: Callable[[Job], bool]) -> Job | None:
        with self._changed:
            found = next((job for job in self._urgent if wanted(job)), None)
            if found is not None:
                self._urgent.remove(found)
            return found

    def take(self) -> Job | None:
        """The next job, urgent ones first; waits. None when the desk is closed.

        While patient work is held, none is given out but what nobody wants any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._urgent or self._may_begin)
            if self._closed:
                return None
            chats = not (self.chats_wait and self._may_begin)
            return self.take_urgent(chats=chats) or self._patient.popleft()

    @property
    def patient_waits(self) -> bool:
        """Whether patient work is here that could begin."""
        return bool(self._patient) and not self.held

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def _may_begin(self) -> bool:
        return bool(self._patient) and (not self.held or self._patient[0].unwanted)

    def rest(self, job: Job) -> None:
        """Until there is urgent work, or nobody wants this job any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._urgent or job.unwanted)

    def look_again(self) -> None:
        """Wake the model thread: a job may be wanted no more."""
        with self._changed:
            self._changed.notify_all()

    def finished(self, job: Job) -> None:
        with self._changed:
            self._running.pop(job.number, None)


class Reader:
    """Turns messages into jobs: attachments are gathered until their request comes."""

    def __init__(self, link: BlockingLink, desk: Desk) -> None:
        self._link = link
        self._desk = desk
        self._unpacking = Unpacking(desk)
        self._attachments: dict[int, list[Message]] = {}
        self._stopped: set[int] = set()  # asked to stop while their attachments still came

    def run(self) -> None:
        """Until the service closes the link, or sends what no service sends."""
        try:
            with contextlib.suppress(LinkError):
                while True:
                    self._handle(self._link.receive())
        finally:
            self._desk.close()  # an engine that hears nothing more must not live on

    def _handle(self, message: Message) -> None:
        header = message.header
        number = int(header["id"])
        if "attach" in header:
            self._attachments.setdefault(number, []).append(message)
            return
        op = str(header["op"])
        if op == PING:  # answered by this thread, whatever the model does
            self._link.send(Message(header={"id": number, "event": "done"}))
            return
        if op in CONTROL:
            self._control(op, int(header["target"]))
            return
        job = Job(number, op, dict(header.get("parameters", {})), bytes(message.body))
        job.attachments = self._attachments.pop(number, [])
        if number in self._stopped:
            self._stopped.discard(number)
            job.stop.set()
        if op in UNPACKED:
            self._unpacking.put(job)
        else:
            self._desk.put(job)

    def _control(self, op: str, number: int) -> None:
        job = self._desk.find(number)
        if op == "cancel":
            self._attachments.pop(number, None)  # should its request not have come, it never will
            if job is not None:
                job.cancelled.set()
        elif job is not None:
            job.stop.set()
        else:
            self._stopped.add(number)
        self._desk.look_again()


def work(desk: Desk, link: BlockingLink, make_model: Callable[[Desk, BlockingLink], Any]) -> None:
    """The model thread: one job after the other until the desk closes."""
    model = make_model(desk, link)
    while (job := desk.take()) is not None:
        model.do(job)


def make_model(desk: Desk, link: BlockingLink) -> Any:
    from daemon.engine_model import EngineModel  # imports torch: only in the model thread

    return EngineModel(desk, link)


def main() -> int:
    sock = socket.socket(fileno=int(sys.argv[1]))
    confine_engine()
    link = BlockingLink(sock)
    desk = Desk()
    reader = threading.Thread(target=Reader(link, desk).run, name="link", daemon=True)
    reader.start()
    try:
        work(desk, link, make_model)
    except LinkError:
        return 0  # the service is gone, and with it the reason to run
    finally:
        link.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
