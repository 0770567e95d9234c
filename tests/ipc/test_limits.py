"""What a client may take of the service: connections, time, bytes; and who may connect at all."""

import json
import os
import socket
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ipc.client_calls import UnixConnection
from ipc.errors import AnswerCutShort
from ipc.server import Limits
from tests.ipc.serving import SOON_SECONDS, House, Silent, Talker, house

CHAT = "/v1/chat/completions"
ASKED = b'{"model": "base", "stream": true, "messages": [{"role": "user", "content": "?"}]}'


@contextmanager
def connected(served: House) -> Generator[socket.socket, None, None]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SOON_SECONDS)
        client.connect(str(served.api_path))
        yield client


def read_to_end(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


def trickled_until_cut(client: socket.socket) -> bool:
    """Sends a header now and then; whether the service made an end of it."""
    deadline = time.monotonic() + SOON_SECONDS
    while time.monotonic() < deadline:
        try:
            client.sendall(b"X-Slow: 1\r\n")
        except ConnectionError:
            return True
        time.sleep(0.02)  # the pace of the slow client, not a wait
    return False


def test_another_user_is_not_let_in(tmp_path: Path) -> None:
    with house(tmp_path / "run", allowed_uid=os.geteuid() + 1) as served:
        with connected(served) as client:
            assert client.recv(1) == b""
        with pytest.raises(AnswerCutShort):
            served.admin.status()
        with pytest.raises(AnswerCutShort):
            served.model.models()


def test_a_body_of_5_mb_is_refused_with_413(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served:
        whole = served.post(CHAT, b" " * 5_000_000)
        chunked = UnixConnection(served.api_path, timeout=SOON_SECONDS)
        chunked.request("POST", CHAT, iter([b" " * 500_000] * 10), encode_chunked=True)
        in_pieces = chunked.getresponse()
        refused = json.loads(in_pieces.read())
        chunked.close()
        admin = served.ask("POST", "/sources", b" " * 5_000_000, path=served.admin_path)
        assert served.inference.requests == []
    assert (whole.status, in_pieces.status, admin.status) == (413, 413, 413)
    assert json.loads(whole.body) == refused
    assert refused["error"]["code"] == "body_too_large"


def test_a_body_just_under_the_limit_is_read(tmp_path: Path) -> None:
    padded = ASKED + b" " * (4 * 1024 * 1024 - len(ASKED))
    with house(tmp_path / "run") as served:
        assert served.post(CHAT, padded).status == 200


def test_the_65th_connection_gets_503_and_room_is_made_again(tmp_path: Path) -> None:
    with house(tmp_path / "run") as served, ExitStack() as held:
        first = held.enter_context(connected(served))
        for _ in range(63):
            held.enter_context(connected(served))
        refused = served.ask("GET", "/health")
        assert refused.status == 503
        assert json.loads(refused.body)["error"]["code"] == "too_many_connections"
        assert refused.headers["Retry-After"] == "1"
        assert served.admin.status() == {"did": "status"}, "the other socket has its own count"

        first.sendall(b"GET /health HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n")
        assert b"200 OK" in read_to_end(first)
        deadline = time.monotonic() + SOON_SECONDS
        while served.ask("GET", "/health").status != 200:
            assert time.monotonic() < deadline


def test_headers_that_trickle_in_are_cut_off(tmp_path: Path) -> None:
    with (
        house(tmp_path / "run", limits=Limits(header_seconds=0.3)) as served,
        connected(served) as slow,
        connected(served) as silent,
    ):
        slow.sendall(b"GET /health HTTP/1.1\r\n")
        assert trickled_until_cut(slow)
        assert silent.recv(1) == b""


def test_the_header_limit_does_not_cut_an_answer(tmp_path: Path) -> None:
    silent = Silent()
    limits = Limits(header_seconds=0.1, ping_seconds=0.1)
    with (
        house(tmp_path / "run", answer=silent, limits=limits) as served,
        connected(served) as client,
    ):
        client.sendall(b"POST %b HTTP/1.1\r\nHost: n\r\nConnection: close\r\n" % CHAT.encode())
        client.sendall(b"Content-Length: %d\r\n\r\n" % len(ASKED) + ASKED)
        seen = b""
        while seen.count(b": ping") < 4:
            seen += client.recv(65536)
        silent.let_go.set()
        assert b"[DONE]" in read_to_end(client)


@pytest.mark.parametrize("stream", [b"true", b"false"], ids=["stream", "whole"])
def test_a_client_that_hangs_up_stops_its_generation(tmp_path: Path, stream: bytes) -> None:
    talker = Talker()
    body = ASKED.replace(b"true", stream)
    with house(tmp_path / "run", answer=talker) as served:
        with connected(served) as client:
            client.sendall(b"POST %b HTTP/1.1\r\nHost: n\r\n" % CHAT.encode())
            client.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert talker.begun.wait(SOON_SECONDS)
            assert not talker.stopped.is_set()
        assert talker.stopped.wait(SOON_SECONDS)
        assert served.ask("GET", "/health").status == 200


def test_a_client_that_hangs_up_while_the_model_thinks_stops_it(tmp_path: Path) -> None:
    silent = Silent()
    with house(tmp_path / "run", answer=silent) as served:
        with connected(served) as client:
            client.sendall(b"POST %b HTTP/1.1\r\nHost: n\r\n" % CHAT.encode())
            client.sendall(b"Content-Length: %d\r\n\r\n" % len(ASKED) + ASKED)
            assert silent.begun.wait(SOON_SECONDS)
        assert silent.stopped.wait(SOON_SECONDS)


def test_stopping_the_service_cuts_what_does_not_end(tmp_path: Path) -> None:
    talker = Talker()
    with house(tmp_path / "run", answer=talker, limits=Limits(stop_seconds=0.05)) as served:
        pieces = iter(served.model.chat([{"role": "user", "content": "?"}]))
        assert next(pieces) == "and "
    assert talker.stopped.is_set()
    with pytest.raises(AnswerCutShort):
        list(pieces)


def test_a_body_that_does_not_arrive_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipc.exchange.BODY_SECONDS", 0.1)
    with house(tmp_path / "run") as served, connected(served) as client:
        client.sendall(b"POST %b HTTP/1.1\r\nHost: n\r\nContent-Length: 9\r\n\r\n{" % CHAT.encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 408")


def test_a_client_that_stops_reading_does_not_keep_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipc.exchange.STALLED_SECONDS", 0.2)
    talker = Talker(word="and " * 50_000)
    with house(tmp_path / "run", answer=talker) as served, connected(served) as client:
        client.sendall(b"POST %b HTTP/1.1\r\nHost: n\r\n" % CHAT.encode())
        client.sendall(b"Content-Length: %d\r\n\r\n" % len(ASKED) + ASKED)
        assert talker.stopped.wait(SOON_SECONDS), "nothing was read, and nothing closed by us"
