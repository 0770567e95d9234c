"""The link between service and engine, over a real socketpair."""

import asyncio
import contextlib
import pickle
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from socket import MSG_PEEK, SHUT_WR, socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.errors import BadFrame, FrameTooLarge, LinkClosed, LinkError
from ipc.frames import FRAME_BODY_LIMIT_BYTES, HEADER_LIMIT_BYTES, PREFIX
from ipc.link import AsyncLink, BlockingLink, Message, link_sockets

SOON_SECONDS = 10.0
MIB = 1024 * 1024

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)
headers = st.dictionaries(st.text(), json_values, max_size=5)


@contextmanager
def pair() -> Generator[tuple[socket, socket], None, None]:
    ours, theirs = link_sockets()
    with ours, theirs:
        yield ours, theirs


def received_from(raw: bytes) -> list[Message]:
    """All messages in a stream of bytes, up to the error that ends every stream."""
    messages: list[Message] = []
    with pair() as (ours, theirs), ThreadPoolExecutor(1) as writer:
        writer.submit(write_and_end, theirs, raw)
        link = BlockingLink(ours)
        try:
            while True:
                messages.append(link.receive())
        except LinkError:
            link.close()
    return messages


def write_and_end(sock: socket, raw: bytes) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(raw)
        sock.shutdown(SHUT_WR)


def frame(header: bytes, body: bytes = b"") -> bytes:
    return PREFIX.pack(len(header), len(body)) + header + body


def written(*messages: Message) -> bytes:
    """What a sender puts on the wire."""
    with pair() as (ours, theirs), ThreadPoolExecutor(1) as reader:
        everything = reader.submit(read_to_end, theirs)
        link = BlockingLink(ours)
        for message in messages:
            link.send(message)
        link.close()
        return everything.result(SOON_SECONDS)


def read_to_end(sock: socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(MIB), b""))


# --------------------------------------------------------------------------- round trips


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(headers, st.binary(max_size=5000)), min_size=1, max_size=5))
def test_messages_arrive_as_they_were_sent(sent: list[tuple[dict[str, Any], bytes]]) -> None:
    with pair() as (ours, theirs), ThreadPoolExecutor(1) as sender:
        engine, service = BlockingLink(theirs), BlockingLink(ours)
        for header, body in sent:
            sender.submit(engine.send, Message(header=header, body=body))
        for header, body in sent:
            message = service.receive()
            assert message.header == header
            assert bytes(message.body) == body
        engine.close()
        service.close()


@pytest.mark.parametrize("size", [FRAME_BODY_LIMIT_BYTES, FRAME_BODY_LIMIT_BYTES + 1, 5 * MIB + 7])
def test_a_body_larger_than_a_frame_crosses_both_ways(size: int) -> None:
    body = bytes(index * 7 % 251 for index in range(1000)) * (size // 1000 + 1)
    body = body[:size]

    async def service(sock: socket) -> Message:
        link = await AsyncLink.connect(sock)
        await link.send(Message(header={"way": "there"}, body=body))
        message = await link.receive()
        await link.close()
        return message

    def engine(sock: socket) -> None:
        link = BlockingLink(sock)
        message = link.receive()
        link.send(Message(header={"way": "back"}, body=message.body))

    with pair() as (ours, theirs), ThreadPoolExecutor(1) as thread:
        running = thread.submit(engine, theirs)
        message = asyncio.run(service(ours))
        running.result(SOON_SECONDS)
    assert message.header == {"way": "back"}
    assert message.body == body


def test_a_body_can_be_made_while_it_is_sent() -> None:
    size = 3 * MIB + 5
    drawn: list[int] = []

    def chunks() -> Iterator[bytes]:
        for start in range(0, size, 700_000):
            drawn.append(start)
            yield b"x" * min(700_000, size - start)

    with pair() as (ours, theirs), ThreadPoolExecutor(1) as thread:
        engine, service = BlockingLink(theirs), BlockingLink(ours)
        thread.submit(engine.send_chunks, {"kind": "checkpoint"}, chunks(), total=size)
        message = service.receive()
        assert message.body == b"x" * size
        engine.close()
        service.close()
    assert drawn == [0, 700_000, 1_400_000, 2_100_000, 2_800_000]


def test_threads_that_send_at_once_do_not_mix_their_messages() -> None:
    with pair() as (ours, theirs), ThreadPoolExecutor(4) as threads:
        engine, service = BlockingLink(theirs), BlockingLink(ours)
        for number in range(20):
            body = bytes([number]) * (FRAME_BODY_LIMIT_BYTES + number)
            threads.submit(engine.send, Message(header={"number": number}, body=body))
        seen = set()
        for _ in range(20):
            message = service.receive()
            number = message.header["number"]
            assert message.body == bytes([number]) * (FRAME_BODY_LIMIT_BYTES + number)
            seen.add(number)
        engine.close()
        service.close()
    assert seen == set(range(20))


# --------------------------------------------------------------------------- hostile peers


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_garbage_is_refused_and_never_a_message(garbage: bytes) -> None:
    assert received_from(garbage) == []


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_stream_cut_anywhere_gives_whole_messages_only(data: st.DataObject) -> None:
    raw = written(
        Message(header={"n": 1}, body=b"first"), Message(header={"n": 2}, body=b"second" * 50)
    )
    cut = data.draw(st.integers(0, len(raw) - 1))
    messages = received_from(raw[:cut])
    assert [(m.header, bytes(m.body)) for m in messages] in (
        [],
        [({"n": 1}, b"first")],
    )


FIRST = b'{"id":1,"total":4,"header":{}}'


@pytest.mark.parametrize(
    "raw",
    [
        PREFIX.pack(0, 0),
        PREFIX.pack(HEADER_LIMIT_BYTES + 1, 0),
        PREFIX.pack(2**32 - 1, 2**32 - 1),
        PREFIX.pack(2, FRAME_BODY_LIMIT_BYTES + 1),
        frame(b"not json"),
        frame(b"\xff\xfe"),
        frame(b"[1]"),
        frame(b"[" * HEADER_LIMIT_BYTES),
        frame(pickle.dumps({"id": 1, "total": 0, "header": {}})),
        frame(b'{"id":1,"total":0}'),
        frame(b'{"id":1,"total":0,"header":[]}'),
        frame(b'{"id":1,"total":0,"header":{},"more":1}'),
        frame(b'{"id":0,"total":0,"header":{}}'),
        frame(b'{"id":true,"total":0,"header":{}}'),
        frame(b'{"id":1,"total":-1,"header":{}}'),
        frame(b'{"id":1,"total":1e3,"header":{}}'),
        frame(b'{"id":1,"total":99999999999999,"header":{}}'),
        frame(FIRST, b"12345"),
        frame(FIRST, b"12") + frame(b'{"id":1}', b"345"),
        frame(FIRST, b"12") + frame(b'{"id":1}'),
        frame(FIRST, b"12") + frame(b'{"id":2}', b"34"),
        frame(FIRST, b"12") + frame(b'{"id":2,"total":0,"header":{}}'),
    ],
)
def test_a_frame_that_is_not_one_is_refused_at_once(raw: bytes) -> None:
    """The stream stays open: only the check itself can end the wait."""
    with pair() as (ours, theirs):
        theirs.sendall(raw)
        link = BlockingLink(ours)
        for _ in range(2):  # and the link stays refused
            with pytest.raises(BadFrame):
                link.receive()


def test_an_id_that_was_used_is_refused() -> None:
    whole = frame(b'{"id":7,"total":0,"header":{}}')
    with pair() as (ours, theirs):
        theirs.sendall(whole + whole)
        link = BlockingLink(ours)
        assert link.receive().header == {}
        with pytest.raises(BadFrame):
            link.receive()


# --------------------------------------------------------------------------- limits and ends


def test_what_is_too_large_is_not_sent_and_harms_nothing() -> None:
    with pair() as (ours, theirs):
        engine, service = BlockingLink(theirs, limit=1000), BlockingLink(ours)
        with pytest.raises(FrameTooLarge):
            engine.send(Message(header={}, body=b"x" * 1001))
        with pytest.raises(FrameTooLarge):
            engine.send(Message(header={"long": "x" * HEADER_LIMIT_BYTES}))
        engine.send(Message(header={"ok": True}, body=b"x" * 1000))
        assert service.receive().header == {"ok": True}


def test_the_receiver_has_a_limit_of_its_own() -> None:
    with pair() as (ours, theirs):
        BlockingLink(theirs).send(Message(header={}, body=b"x" * 1001))
        with pytest.raises(BadFrame):
            BlockingLink(ours, limit=1000).receive()


def test_chunks_that_break_their_word_close_the_link() -> None:
    with pair() as (ours, theirs):
        engine, service = BlockingLink(theirs), BlockingLink(ours)
        with pytest.raises(ValueError, match="announced 10 bytes"):
            engine.send_chunks({}, [b"123"], total=10)
        with pytest.raises(LinkClosed):
            service.receive()


def test_a_body_does_not_show_in_a_repr() -> None:
    assert "honey" not in repr(Message(header={"kind": "text"}, body=b"honey"))


def test_closing_wakes_a_thread_that_receives() -> None:
    with pair() as (ours, _theirs), ThreadPoolExecutor(1) as thread:
        link = BlockingLink(ours)
        begun = threading.Event()

        def wait() -> None:
            begun.set()
            link.receive()

        waiting = thread.submit(wait)
        begun.wait(SOON_SECONDS)
        link.close()
        with pytest.raises(LinkClosed):
            waiting.result(SOON_SECONDS)


async def test_the_service_notices_that_the_engine_is_gone() -> None:
    ours, theirs = link_sockets()
    link = await AsyncLink.connect(ours)
    waiting = asyncio.create_task(link.receive())
    theirs.close()
    with pytest.raises(LinkClosed):
        await waiting
    with pytest.raises(LinkClosed):
        await link.send(Message(header={}, body=b"x" * 5 * MIB))
    await link.close()


async def test_closing_ends_what_waits_on_the_services_side() -> None:
    with pair() as (ours, _theirs):
        link = await AsyncLink.connect(ours)
        receiving = asyncio.create_task(link.receive())
        sending = asyncio.create_task(link.send(Message(header={}, body=b"x" * 5 * MIB)))
        await asyncio.sleep(0)
        await link.close()
        for task in (receiving, sending):
            with pytest.raises(LinkClosed):
                await task
        with pytest.raises(LinkClosed):
            await link.send(Message(header={}))


async def test_a_cancelled_sender_leaves_whole_messages_behind() -> None:
    with pair() as (ours, theirs):
        link = await AsyncLink.connect(ours)
        body = b"x" * 5 * MIB  # more than the kernel takes at once
        sending = asyncio.create_task(link.send(Message(header={"n": 1}, body=body)))
        engine = BlockingLink(theirs)
        assert await asyncio.to_thread(theirs.recv, 1, MSG_PEEK)  # it has begun
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        after = asyncio.create_task(link.send(Message(header={"n": 2})))
        first = await asyncio.to_thread(engine.receive)
        second = await asyncio.to_thread(engine.receive)
        await after
        assert (first.header, first.body) == ({"n": 1}, body)
        assert second.header == {"n": 2}
        await link.close()


async def test_a_cancelled_receiver_loses_nothing() -> None:
    raw = frame(FIRST, b"1234")
    with pair() as (ours, theirs):
        link = await AsyncLink.connect(ours)
        theirs.sendall(raw[:20])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(link.receive(), 0.05)
        theirs.sendall(raw[20:])
        assert (await link.receive()).body == b"1234"
        await link.close()
