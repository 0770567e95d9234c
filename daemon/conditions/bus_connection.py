"""dbus-fast's connection, quiet where a bus is lost in the middle of a message.

Imported where a bus is connected to, since it costs memory.
"""

import asyncio
import logging

from dbus_fast import Message
from dbus_fast.aio import MessageBus

# Its tracebacks may hold what was sent; what matters of a loss is logged by whoever connects.
logging.getLogger("dbus_fast").setLevel(logging.CRITICAL)


class Connection(MessageBus):
    """Whoever asks hears of the loss by the answer that does not come."""

    def send(self, msg: Message) -> "asyncio.Future[None]":  # type: ignore[override]
        """As dbus-fast 5.2 does, which in the middle of a loss raises here, waits for a socket that
        is closed, and leaves a future behind that nobody looks at."""
        if not msg.serial:
            msg.serial = self.next_serial()
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sent.add_done_callback(_looked_at)
        assert self._writer is not None  # there is one from connecting on
        try:
            self._writer.schedule_write(msg, sent)
        except (OSError, ValueError):
            if not sent.done():
                sent.set_exception(ConnectionResetError())
        return sent


def _looked_at(sent: "asyncio.Future[None]") -> None:
    if not sent.cancelled():
        sent.exception()
