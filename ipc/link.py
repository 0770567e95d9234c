"""The link between the service and the engine: messages over an inherited socketpair.

`AsyncLink` is the service's end, `BlockingLink` the engine's. Knows nothing of what the messages
mean. Frames are described in `frames.py`; there is no pickle here, and the receiver checks every
length before it takes memory for it, because the engine is less trusted than the service.

Each side must keep reading while it writes (the engine has a thread for it, the service a task),
else two large messages that meet would wait for each other.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Self

from ipc.errors import LinkClosed
from ipc.frames import MESSAGE_LIMIT_BYTES, Assembler, Body, Message, frames

__all__ = ["AsyncLink", "BlockingLink", "Message", "link_sockets"]

# Asked for; the kernel gives what net.core.wmem_max allows (212,992 bytes by default).
BUFFER_BYTES = 1024 * 1024
# Below this a copy is cheaper than a second system call.
JOIN_BYTES = 16 * 1024


def link_sockets() -> tuple[socket.socket, socket.socket]:
    """A connected pair: one end for the service, one for the engine to inherit."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    return ours, theirs


class BlockingLink:
    """The engine's end. `send` may be called from any thread, `receive` from one at a time."""

    def __init__(self, sock: socket.socket, *, limit: int = MESSAGE_LIMIT_BYTES) -> None:
        sock.setblocking(True)
        self._sock = sock
        self._limit = limit
        self._assembler = Assembler(limit=limit)
        self._sending = threading.Lock()
        self._receiving = threading.Lock()
        self._sent_id = 0

    def send(self, message: Message) -> None:
        """Returns when the whole message is in the kernel's hands.

        Raises:
            FrameTooLarge: nothing was sent, the link is as good as before.
            LinkClosed: the service is gone.
        """
        self.send_chunks(message.header, [message.body], total=memoryview(message.body).nbytes)

    def send_chunks(self, header: dict[str, Any], chunks: Iterable[Body], *, total: int) -> None:
        """Like `send`, for a body that is made piece by piece and has `total` bytes.

        The chunks are drawn while the message is on its way. If drawing one fails, or they do not
        add up to `total`, the link is closed, for the receiver waits for the rest.
        """
        with self._sending:
            self._sent_id += 1
            started = False
            try:
                for head, body in frames(
                    self._sent_id, header, chunks, total=total, limit=self._limit
                ):
                    started = True
                    for part in parts(head, body):
                        self._sock.sendall(part)
            except OSError:
                self.close()
                raise LinkClosed from None
            except BaseException:
                if started:
                    self.close()
                raise

    def receive(self) -> Message:
        """The next message; waits for it.

        Raises:
            LinkClosed: the service is gone, or this end was closed.
            BadFrame: the service sent something that is not a message.
        """
        with self._receiving:
            while True:
                try:
                    count = self._sock.recv_into(self._assembler.wanted())
                except OSError:
                    raise LinkClosed from None
                message = advance(self._assembler, count)
                if message is not None:
                    return message

    def close(self) -> None:
        """Wakes a thread that waits in `receive`."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


class AsyncLink:
    """The service's end, on its event loop.

    Cancelling `send` or `receive` harms nothing: a message that has begun is written to its end,
    and one that was half read is given to the next `receive`. So a client that hangs up, whose
    task is cancelled wherever it stands, does not cost the engine.
    """

    def __init__(self, sock: socket.socket, *, limit: int = MESSAGE_LIMIT_BYTES) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._limit = limit
        self._assembler = Assembler(limit=limit)
        self._sending = asyncio.Lock()
        self._sent_id = 0
        self._writes: set[asyncio.Task[None]] = set()
        self._reading: asyncio.Task[Message] | None = None
        self._closed = False

    @classmethod
    async def connect(cls, sock: socket.socket, *, limit: int = MESSAGE_LIMIT_BYTES) -> Self:
        return cls(sock, limit=limit)

    async def send(self, message: Message) -> None:
        """Returns when the whole message is in the kernel's hands; messages never mix.

        Raises:
            FrameTooLarge: nothing was sent, the link is as good as before.
            LinkClosed: the engine is gone.
        """
        await self.send_chunks(
            message.header, [message.body], total=memoryview(message.body).nbytes
        )

    async def send_chunks(
        self, header: dict[str, Any], chunks: Iterable[Body], *, total: int
    ) -> None:
        """Like `send`, for a body that is made piece by piece (opened from the vault, say)."""
        write = asyncio.create_task(self._write(header, chunks, total))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)
        write.add_done_callback(look_at)
        await asyncio.shield(write)

    async def receive(self) -> Message:
        """The next message; one caller at a time.

        Raises:
            LinkClosed: the engine is gone, or this end was closed.
            BadFrame: the engine sent something that is not a message; the link is of no more use.
        """
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(look_at)
        message = await asyncio.shield(self._reading)
        self._reading = None
        return message

    async def close(self) -> None:
        """Ends both directions; what waits in `send` or `receive` gets LinkClosed."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        under_way: list[asyncio.Task[Any]] = [*self._writes]
        if self._reading is not None:
            under_way.append(self._reading)
        await asyncio.gather(*under_way, return_exceptions=True)
        self._sock.close()

    async def _write(self, header: dict[str, Any], chunks: Iterable[Body], total: int) -> None:
        loop = asyncio.get_running_loop()
        async with self._sending:
            if self._closed:
                raise LinkClosed
            self._sent_id += 1
            started = False
            try:
                for head, body in frames(
                    self._sent_id, header, chunks, total=total, limit=self._limit
                ):
                    started = True
                    for part in parts(head, body):
                        await loop.sock_sendall(self._sock, part)
            except OSError:
                raise LinkClosed from None
            except BaseException:
                if started:
                    with contextlib.suppress(OSError):
                        self._sock.shutdown(socket.SHUT_RDWR)
                raise

    async def _read(self) -> Message:
        loop = asyncio.get_running_loop()
        while True:
            if self._closed:
                raise LinkClosed
            try:
                count = await loop.sock_recv_into(self._sock, self._assembler.wanted())
            except OSError:
                raise LinkClosed from None
            message = advance(self._assembler, count)
            if message is not None:
                return message


def parts(head: bytes, body: memoryview) -> Iterator[bytes | memoryview]:
    """What to hand to the kernel for one frame."""
    if len(body) <= JOIN_BYTES:
        yield head + body
    else:
        yield head
        yield body


def advance(assembler: Assembler, count: int) -> Message | None:
    """The message that `count` bytes completed; none came at the end of the stream."""
    if count == 0:
        raise LinkClosed
    return assembler.filled(count)


def look_at(task: asyncio.Task[Any]) -> None:
    """Keeps asyncio from reporting the failure of a task whose caller was cancelled."""
    if not task.cancelled():
        task.exception()
