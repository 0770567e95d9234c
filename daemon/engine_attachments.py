"""What came with a job, read: texts, the base's samples, adapters and checkpoints as bytes."""

import json
from collections.abc import Iterator

import numpy as np

from daemon.engine import Job
from ipc.link import Message
from trainer.examples import Role, SourceText, TokenIds, Turn


def texts(job: Job) -> list[SourceText]:
    """Attached documents: JSON bodies with `text`, or `turns` of [own, text, role or null], and
    with `fresh` where only a stretch of that is new.
    """
    found = []
    for message in _named(job, "text"):
        body = json.loads(bytes(message.body))
        fresh = body.get("fresh")
        turns = tuple(Turn(own=own, text=text, role=at) for own, text, at in body.get("turns", ()))
        found.append(
            SourceText(
                key=int(message.header["key"]),
                role=Role(message.header["role"]),
                text=body.get("text"),
                fresh=None if fresh is None else (int(fresh[0]), int(fresh[1])),
                turns=turns,
            )
        )
    return found


def samples(job: Job) -> TokenIds:
    """The attached samples of the base: (count, tokens) int32; (0, 1) without any."""
    for message in _named(job, "samples"):
        return np.frombuffer(message.body, dtype="<i4").reshape(message.header["shape"])
    return np.zeros((0, 1), dtype=np.int32)


def taken(job: Job, name: str) -> bytes | None:
    """The bytes of the attachment with this name, if there is one. The job keeps them no longer: a
    checkpoint of a large base has hundreds of megabytes, and the job goes on for hours.
    """
    message = next(_named(job, name), None)
    if message is None:
        return None
    job.attachments.remove(message)
    return bytes(message.body)


def _named(job: Job, name: str) -> Iterator[Message]:
    return (message for message in job.attachments if message.header["attach"] == name)
