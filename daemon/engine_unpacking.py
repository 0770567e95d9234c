"""Adapters' bytes, made ready beside the model thread, which only takes what is ready.

Opening and checking those of a 7B takes half a second, in which clients would hear nothing. Loads
and drops go this way in the order in which they came, so that none is loaded after its drop.
Imports no torch; what unpacks is the model thread's, and set when a base is there.
"""

import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.engine import Desk, Job

UNPACKED = frozenset({"adapter_load", "adapter_drop"})


class Unpacking:
    """A thread that begins with the first adapter."""

    def __init__(self, desk: "Desk") -> None:
        self._desk = desk
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, job: "Job") -> None:
        """It comes to the desk when it is ready."""
        self._desk.expect(job)
        self._jobs.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="unpacking", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            unpack = self._desk.unpack
            if unpack is not None and job.op == "adapter_load" and not job.unwanted:
                try:
                    job.unpacked = unpack(job)
                except Exception as error:  # answered by the model thread, like any other
                    job.unpacked = error
            self._desk.put(job)
            del job  # and with it an adapter's bytes, until the next one comes
