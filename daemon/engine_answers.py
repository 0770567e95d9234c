"""What the engine sends back: any number of messages for a job, and exactly one last one.

The last is `done` or `failed`. A failure's sentence never holds text: of an error that is not ours
its type and place are told and logged, for messages of libraries may quote what they were given.
"""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon.engine import Desk, Job
from daemon.engine_work import Refusal
from ipc.errors import LinkError
from ipc.frames import Body
from ipc.link import BlockingLink, Message
from trainer.errors import PromptTooLong, TrainerError

log = logging.getLogger("nightloom.engine")

Facts = dict[str, Any]


class Answers:
    """Of all jobs of one engine."""

    def __init__(self, desk: Desk, link: BlockingLink) -> None:
        self._desk = desk
        self._link = link

    def send(self, job: Job, event: str, body: Body = b"", **facts: Any) -> None:
        self._link.send(Message(header={"id": job.number, "event": event, **facts}, body=body))

    def end(self, job: Job, event: str = "done", **facts: Any) -> None:
        """The last one."""
        try:
            self.send(job, event, **facts)
        finally:
            self._desk.finished(job)

    def fail(self, job: Job, error: Exception) -> None:
        """The last one, after an error."""
        self.end(job, "failed", **failure(job.op, error))

    @contextlib.contextmanager
    def failing(self, job: Job) -> Iterator[None]:
        """Inside, an error ends the job, and it only."""
        try:
            yield
        except LinkError:
            raise  # the service is gone, and with it who wanted an answer
        except Exception as error:
            self.fail(job, error)


def failure(op: str, error: Exception) -> Facts:
    """Code, sentence and numbers of a `failed` message."""
    if isinstance(error, Refusal):
        return {"code": error.code, "sentence": str(error), **error.facts}
    if isinstance(error, TrainerError):
        return {"code": type(error).__name__, "sentence": str(error), **_numbers(error)}
    if isinstance(error, MemoryError):
        return {"code": "memory", "sentence": "The engine ran out of memory."}
    log.error("%s failed: %s at %s", op, type(error).__name__, _place(error))
    return {"code": "broken", "sentence": f"The engine failed ({type(error).__name__})."}


def _numbers(error: TrainerError) -> Facts:
    """What the service needs to put the error into a client's words."""
    if isinstance(error, PromptTooLong):
        prompt_tokens, most = error.facts
        assert isinstance(most, int)
        return {"prompt_tokens": prompt_tokens, "context_tokens": most + 1}  # one for an answer
    return {}


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "?"
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
