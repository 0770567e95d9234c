"""What the engine answered to one request and nobody has taken yet: a queue with a bound.

The engine is less trusted than the service: what it sends must not fill the service's memory,
however slowly a client reads.
"""

import asyncio
import json
from collections import deque

from daemon.errors import AdapterTakenAway, EngineDied, EngineFlooded
from ipc.frames import MESSAGE_LIMIT_BYTES, Message

# An answer of 131,072 tokens, a message each, that a client has not begun to read takes 100 MB.
WAITING_LIMIT_BYTES = 128 * 1024**2
# Training answers with checkpoints, each one message: one may wait, as large as the link allows.
TRAINING_LIMIT_BYTES = WAITING_LIMIT_BYTES + MESSAGE_LIMIT_BYTES
HEADER_COST = 32  # bytes of Python's objects for each byte of JSON: empty lists take that much


class Replies:
    """Filled by who reads the link, emptied by who asked.

    Args:
        limit_bytes: that may wait, headers at what they cost in memory.
    """

    def __init__(self, limit_bytes: int = WAITING_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._waiting: deque[tuple[Message, int]] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._end: type[EngineDied | AdapterTakenAway] | None = None

    def put(self, message: Message) -> None:
        """Raises `EngineFlooded` when more waits then than may. After the end nothing is taken."""
        if self._end is not None:
            return
        cost = cost_bytes(message)
        if self._waiting_bytes + cost > self._limit_bytes:
            raise EngineFlooded
        self._waiting.append((message, cost))
        self._waiting_bytes += cost
        self._changed.set()

    def end(self, reason: type[EngineDied | AdapterTakenAway]) -> None:
        """Nothing more comes; of a flood, nothing that waits is worth reading either, and what a
        withdrawn adapter said is not to be read. The first reason stays.
        """
        self._end = self._end or reason
        if reason in (EngineFlooded, AdapterTakenAway):
            self._waiting.clear()
            self._waiting_bytes = 0
        self._changed.set()

    async def get(self) -> Message:
        """The next message; waits for it. Raises the reason of the end after the last one."""
        while not self._waiting:
            if self._end is not None:
                raise self._end
            self._changed.clear()
            await self._changed.wait()
        message, cost = self._waiting.popleft()
        self._waiting_bytes -= cost
        return message


def cost_bytes(message: Message) -> int:
    """Memory that a message takes, about."""
    header = len(json.dumps(message.header, separators=(",", ":")))
    return HEADER_COST * header + memoryview(message.body).nbytes
