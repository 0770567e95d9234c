"""One file, in a process that was forked for it: read it with its extractor, answer, end.

Whatever goes wrong here becomes one word. Knows nothing of the service but its socket.
"""

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO

from daemon.collecting.skipping import SkipReason
from daemon.extracting.errors import Unreadable
from daemon.extracting.extracted import Extracted, Facts
from daemon.extracting.limits import Limits
from daemon.extracting.wire import REASONS, packed
from ipc.errors import LinkError
from ipc.link import BlockingLink, Message

Extract = Callable[[BinaryIO, Facts], Iterator[Extracted]]


def read_one(
    extract: Extract, descriptor: int, answers: socket.socket, facts: Facts, limits: Limits
) -> None:
    """Answer with the documents of a file, or with the reason why there are none or no more."""
    link = BlockingLink(answers)
    try:
        header = _answered(extract, descriptor, link, facts, limits)
        link.send(Message(header=header))  # what took too much memory is let go by now
    except LinkError:
        pass  # nobody waits for it any more


def _answered(
    extract: Extract, descriptor: int, link: BlockingLink, facts: Facts, limits: Limits
) -> dict[str, object]:
    limits = replace(limits, document_bytes=min(limits.document_bytes, facts.most_bytes))
    count = 0
    try:
        with os.fdopen(descriptor, "rb") as file:
            for document in extract(file, facts):
                header, body = packed(document, limits)
                link.send(Message(header=header, body=body))
                count += 1
    except LinkError:
        raise
    except Unreadable as why:
        known = why.reason in REASONS
        return {"failed": str(why.reason if known else SkipReason.DAMAGED)}
    except MemoryError:
        return {"failed": str(SkipReason.TOO_HUNGRY)}
    except Exception:  # whatever a library raises at a file that it does not understand
        return {"failed": str(SkipReason.DAMAGED)}
    return {"end": count}
