"""The bridge to a TCP port: who is let through, on every route, and what goes along."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from ipc.admin_api import admin_app
from ipc.bridge import Bridge
from ipc.bridge_gate import ONE_MODEL, ROUTES
from ipc.bridge_token import replace_token
from ipc.errors import BridgeNotLoopback, BridgePortUnavailable, QueueFull
from ipc.inference_api import inference_app
from ipc.listening import Limits
from ipc.loopback import bind, listen, port_of
from ipc.sockets import api_socket_path
from tests.ipc.bridging import Crossing, bridged
from tests.ipc.serving import (
    SOON_SECONDS,
    Administration,
    House,
    Inference,
    Silent,
    Talker,
    failing,
    house,
    saying,
)

CHAT = "/v1/chat/completions"
QUESTION = {"model": "base", "messages": [{"role": "user", "content": "How are the bees?"}]}
BODIES = {CHAT: QUESTION, "/v1/completions": {"model": "base", "prompt": "How are"}}
NOT_FORWARDED = {("POST", "/v1/feedback")}  # it reaches the vault


@dataclass(frozen=True)
class Door:
    """A bridge in front of a house."""

    served: House
    crossing: Crossing


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One for all that changes nothing: the matrix asks some hundred times."""
    folder = tmp_path_factory.mktemp("door")
    with (
        house(folder / "run", answer=saying("They ", "sleep.")) as served,
        bridged(served.api_path, folder / "token", limits=Limits(connections=32)) as crossing,
    ):
        yield Door(served, crossing)


def inference_routes() -> list[tuple[str, str]]:
    """Method and path of every route of `api.sock`, as clients write them."""
    routes = inference_app(Inference()).router.routes()
    return [(route.method, of_one_model(route.resource)) for route in routes]


def administration_routes() -> list[tuple[str, str]]:
    routes = admin_app(Administration()).router.routes()
    return [(route.method, of_one_model(route.resource)) for route in routes]


def of_one_model(resource: object) -> str:
    return str(getattr(resource, "canonical", "/")).replace("{model}", "personal")


def forwarded() -> list[tuple[str, str]]:
    return [*((method, path) for path, method in ROUTES.items()), ("GET", "/v1/models/personal")]


def test_every_route_of_the_socket_is_forwarded_or_left_out_on_purpose() -> None:
    of_the_socket = {(method, path) for method, path in inference_routes() if method != "HEAD"}

    assert of_the_socket == {*forwarded(), *NOT_FORWARDED}


# --------------------------------------------------------------------------- the matrix

HOSTS = {  # with {port}
    "127.0.0.1:{port}": True,
    "localhost:{port}": True,
    "127.0.0.1": False,
    "localhost": False,
    "[::1]:{port}": False,  # not asked for
    "127.0.0.1:1": False,
    "evil.example:{port}": False,  # a name of the attacker's that leads here now
    "127.0.0.1.evil.example:{port}": False,
    "localhost.:{port}": False,
    "127.1:{port}": False,
    "0.0.0.0:{port}": False,
    "127.0.0.1:{port}@evil.example": False,
    "": False,
}
ORIGINS = ["null", "http://127.0.0.1:{port}", "http://localhost:{port}", "https://evil.example"]
TOKENS = ["", "Bearer", "Bearer ", "Bearer -", "Bearer {other}", "Basic {token}", "{token}",
          "Bearer {token}x", "Bearer {token} x", "Bearer {cut}", "Bearer \u00e9"]  # fmt: skip
TYPES = [
    "",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/jsonp",
    "text/plain; application/json",
    "application/json, text/plain",
]
ODD = {  # paths that somebody may try
    "/",
    "*",
    "//v1/models",
    "/v1/models/",
    "/v1/models/a/b",
    "/v1/models/..",
    "/v1/models/.",
    "/v1/../status",
    "/V1/MODELS",
    "/v1/models/..%2fstatus",
    "http://evil.example/v1/models",
    "/v1/chat/completions/",
}


@dataclass(frozen=True)
class Case:
    """One request, and what becomes of it: a status and an error's code, or None for an answer."""

    said: str
    headers: list[tuple[str, str]]
    status: int
    code: str | None


def cases(crossing: Crossing, method: str) -> Iterator[Case]:
    right = crossing.right(method)
    words = {
        "port": str(crossing.port),
        "token": crossing.token,
        "other": "sk-nightloom" + "A" * 43,
        "cut": crossing.token[:-1],
    }

    def but(name: str, *values: str) -> list[tuple[str, str]]:
        others = [(each, value) for each, value in right.items() if each != name]
        return [*others, *((name, value.format(**words)) for value in values)]

    for host, allowed in HOSTS.items():
        refused = (200, None) if allowed else (403, "host_not_allowed")
        yield Case(f"Host {host}", but("Host", host), *refused)
    for origin in ORIGINS:
        yield Case(f"Origin {origin}", but("Origin", origin), 403, "origin_not_allowed")
    for token in TOKENS:
        yield Case(f"token {token}", but("Authorization", token), 401, "invalid_api_key")
    yield Case("no token", but("Authorization"), 401, "invalid_api_key")
    twice = but("Authorization", "Bearer {token}", "Bearer {token}")
    yield Case("two tokens", twice, 401, "invalid_api_key")
    yield Case("a small bearer", but("Authorization", "bearer {token}"), 200, None)
    if method == "POST":
        for kind in TYPES:
            yield Case(f"type {kind}", but("Content-Type", kind), 415, "json_required")
        yield Case("no type", but("Content-Type"), 415, "json_required")
        charset = but("Content-Type", "application/json; charset=utf-8")
        yield Case("JSON with a charset", charset, 200, None)


@pytest.mark.parametrize(("method", "path"), forwarded())
def test_host_origin_token_and_type_are_looked_at_on_every_route(
    door: Door, method: str, path: str
) -> None:
    body = json.dumps(BODIES[path]).encode() if method == "POST" else b""
    asked = len(door.served.inference.requests)
    answered = 0
    for case in cases(door.crossing, method):
        said = door.crossing.ask(method, path, case.headers, body)

        assert said.status == case.status, case.said
        assert case.code is None or said.code == case.code, case.said
        assert not [name for name in said.headers if name.lower().startswith("access-control")]
        assert ("WWW-Authenticate" in said.headers) == (case.status == 401)
        answered += said.status == 200
    reached = len(door.served.inference.requests) - asked
    assert reached == (answered if method == "POST" else 0), "what was refused got through"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_but_these_methods_of_these_routes_is_let_through(door: Door, method: str) -> None:
    others = {path for _, path in (*inference_routes(), *administration_routes())}
    asked = len(door.served.inference.requests)
    for path in sorted({*others, *ODD}):
        if (method, path) in forwarded():
            continue
        known = path in ROUTES or ONE_MODEL.fullmatch(path)
        said = door.crossing.ask(method, path, door.crossing.right("POST").items())
        assert said.status in ((405,) if known else (404, 400)), path  # 400: no path at all
        without = door.crossing.right("POST") | {"Authorization": ""}
        assert door.crossing.ask(method, path, without.items()).status in (401, 400), path
    assert len(door.served.inference.requests) == asked


def test_a_preflight_of_a_browser_is_refused_without_a_word_of_permission(door: Door) -> None:
    headers = {
        "Host": f"127.0.0.1:{door.crossing.port}",
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }

    said = door.crossing.ask("OPTIONS", CHAT, headers.items())

    assert (said.status, said.code) == (403, "origin_not_allowed")
    assert not [name for name in said.headers if name.lower().startswith("access-control")]


def test_a_name_that_was_rebound_to_this_machine_reaches_nothing(door: Door) -> None:
    """The page is of the same origin as its own name, so its browser sends a plain GET."""
    rebound = {"Host": f"evil.example:{door.crossing.port}"}
    for path in ("/v1/models", "/health"):
        for more in ({}, {"Authorization": f"Bearer {door.crossing.token}"}):
            said = door.crossing.ask("GET", path, (rebound | more).items())
            assert (said.status, said.code) == (403, "host_not_allowed")


def test_who_names_no_host_or_two_is_refused(door: Door) -> None:
    token = f"Authorization: Bearer {door.crossing.token}"
    for version, status in (("1.0", b"403"), ("1.1", b"400")):  # 1.1 demands one
        with door.crossing.connected() as client:
            client.sendall(f"GET /health HTTP/{version}\r\n{token}\r\n\r\n".encode())
            assert client.recv(65536)[9:12] == status
    hosts = [("Host", f"127.0.0.1:{door.crossing.port}"), ("Host", "evil.example")]
    shown = [("Authorization", f"Bearer {door.crossing.token}")]

    assert door.crossing.ask("GET", "/v1/models", [*hosts, *shown]).status in (400, 403)


# --------------------------------------------------------------------------- what goes along


def test_answers_are_those_of_the_socket(door: Door) -> None:
    models = door.crossing.get("/v1/models")
    assert models.body == door.served.ask("GET", "/v1/models").body
    assert models.headers["Content-Type"] == "application/json"
    assert models.headers["Cache-Control"] == "no-store"
    for name in ("impersonal?key=1", "personal@0123456789ab", "personal%400123456789ab"):
        missing = door.crossing.get(f"/v1/models/{name}")
        assert (missing.status, missing.code) == (404, "model_not_found")
    answer = json.loads(door.crossing.post(CHAT, QUESTION).body)
    assert answer["choices"][0]["message"]["content"] == "They sleep."
    broken = door.crossing.ask("POST", CHAT, door.crossing.right("POST").items(), b"{")
    assert broken.status == 400


def test_of_the_head_only_the_wish_not_to_be_learned_goes_along(door: Door) -> None:
    door.crossing.post(CHAT, QUESTION, **{"X-No-Train": "1"})
    assert door.served.inference.requests[-1].train_allowed is False
    door.crossing.post(CHAT, QUESTION)
    assert door.served.inference.requests[-1].train_allowed is True


def test_connections_are_told_apart_and_nobody_names_himself(tmp_path: Path) -> None:
    with (
        listening_once(tmp_path / "api.sock") as heads,
        bridged(tmp_path / "api.sock", tmp_path / "token") as crossing,
    ):
        sent = {"X-Nightloom-Client": "me", "Cookie": "a=b", "User-Agent": "bee/1", "X-Path": "~"}
        for _ in range(2):
            crossing.post(CHAT, QUESTION, **sent)
    first, second = ({line.partition(":")[0].lower() for line in head} for head in heads)
    assert first == second == {
        "post /v1/chat/completions http/1.1", "host", "content-type", "content-length",
        "x-nightloom-client", "connection",
    }  # fmt: skip
    named = [next(line for line in head if line.startswith("X-Nightloom-Client")) for head in heads]
    assert named[0] != named[1]
    assert all("bridge-" in name for name in named)


def test_each_connection_has_turns_of_its_own_at_the_model(door: Door) -> None:
    asked = door.served.inference.requests
    with door.crossing.connected() as one, door.crossing.connected() as other:
        for client in (one, one, other):
            client.sendall(request_of(door.crossing, QUESTION))
            read_until(client, b"They sleep.")
    first, again, another = (request.client for request in asked[-3:])
    assert first == again != another


def test_a_stream_comes_through_piece_by_piece(tmp_path: Path) -> None:
    talker = Talker(word="zz ")
    with (
        house(tmp_path / "run", answer=talker) as served,
        bridged(served.api_path, tmp_path / "token") as crossing,
        crossing.connected() as client,
    ):
        client.sendall(request_of(crossing, QUESTION | {"stream": True}))
        seen = read_until(client, b"zz ", times=5)  # it never ends by itself
        assert b"text/event-stream" in seen
        assert not talker.stopped.is_set()
        client.close()
        assert talker.stopped.wait(SOON_SECONDS)


def test_a_client_that_hangs_up_while_the_model_thinks_stops_it(tmp_path: Path) -> None:
    silent = Silent()
    with (
        house(tmp_path / "run", answer=silent) as served,
        bridged(served.api_path, tmp_path / "token") as crossing,
    ):
        with crossing.connected() as client:
            client.sendall(request_of(crossing, QUESTION))
            assert silent.begun.wait(SOON_SECONDS)
        assert silent.stopped.wait(SOON_SECONDS)


def test_a_queue_that_is_full_says_when_to_come_back(tmp_path: Path) -> None:
    with (
        house(tmp_path / "run", answer=failing(QueueFull(retry_after=7))) as served,
        bridged(served.api_path, tmp_path / "token") as crossing,
    ):
        said = crossing.post(CHAT, QUESTION)
    assert (said.status, said.code, said.headers["Retry-After"]) == (429, "queue_full", "7")


def test_without_a_service_the_bridge_says_so_and_finds_it_later(tmp_path: Path) -> None:
    api_socket = api_socket_path(tmp_path / "run")
    with bridged(api_socket, tmp_path / "token") as crossing:
        said = crossing.get("/v1/models")
        assert (said.status, said.code) == (503, "not_running")
        assert b"nightloom run" in said.body
        with house(tmp_path / "run"):
            assert crossing.get("/v1/models").status == 200
        assert crossing.get("/v1/models").status == 503


def test_an_answer_that_the_service_cut_short_does_not_look_whole(tmp_path: Path) -> None:
    api_socket = api_socket_path(tmp_path / "run")
    with bridged(api_socket, tmp_path / "token") as crossing, crossing.connected() as client:
        with house(tmp_path / "run", answer=Talker(), limits=Limits(stop_seconds=0.1)):
            client.sendall(request_of(crossing, QUESTION | {"stream": True}))
            seen = read_until(client, b"and ")
        with suppress(ConnectionResetError):
            while piece := client.recv(65536):
                seen += piece
    assert b"200 OK" in seen
    assert not seen.endswith(b"0\r\n\r\n")
    assert b"[DONE]" not in seen


# --------------------------------------------------------------------------- limits, addresses


def test_a_body_of_5_mb_and_a_connection_too_many_are_refused(tmp_path: Path) -> None:
    with (
        house(tmp_path / "run") as served,
        bridged(served.api_path, tmp_path / "token", limits=Limits(connections=2)) as crossing,
    ):
        headers = crossing.right("POST").items()
        large = crossing.ask("POST", CHAT, headers, b" " * 5_000_000)
        assert (large.status, large.code) == (413, "body_too_large")
        with crossing.connected(), crossing.connected(), crossing.connected() as third:
            refused = third.recv(65536)
        assert served.inference.requests == []
    assert refused.startswith(b"HTTP/1.1 503")
    assert b"too_many_connections" in refused


def test_headers_that_trickle_in_are_not_waited_for(tmp_path: Path) -> None:
    limits = Limits(header_seconds=0.2)
    with (
        bridged(tmp_path / "api.sock", tmp_path / "token", limits=limits) as crossing,
        crossing.connected() as client,
    ):
        client.sendall(b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        assert client.recv(65536) == b""


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.0.1", "8.8.8.8", "fe80::1"])
def test_no_address_but_loopback_is_ever_bound(address: str) -> None:
    with pytest.raises(BridgeNotLoopback):
        bind(address, 0)


def test_a_port_that_is_taken_is_said_in_a_sentence() -> None:
    (first,) = listen(0)
    with first, pytest.raises(BridgePortUnavailable, match=rf"Port {port_of(first)} is taken"):
        listen(port_of(first))


def test_both_loopback_addresses_are_served_where_that_was_asked(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")
    with (
        house(tmp_path / "run") as served,
        bridged(served.api_path, tmp_path / "token", ipv6=True) as crossing,
        socket.create_connection(("::1", crossing.port), timeout=SOON_SECONDS) as client,
    ):
        client.sendall(
            b"GET /health HTTP/1.1\r\nHost: [::1]:%d\r\nAuthorization: Bearer %b\r\n\r\n"
            % (crossing.port, crossing.token.encode())
        )
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert crossing.get("/health").status == 200


# --------------------------------------------------------------------------- the token


def test_a_new_token_holds_at_once_and_the_old_one_no_more(tmp_path: Path) -> None:
    with (
        house(tmp_path / "run") as served,
        bridged(served.api_path, tmp_path / "token") as crossing,
    ):
        old = crossing.right("GET")
        assert crossing.ask("GET", "/health", old.items()).status == 200
        replace_token(crossing.token_file)
        assert crossing.ask("GET", "/health", old.items()).status == 401
        assert crossing.get("/health").status == 200
        right = crossing.right("GET")
        crossing.token_file.chmod(0o644)
        said = crossing.ask("GET", "/health", right.items())
        assert (said.status, said.code) == (503, "bridge_token_unusable")
        assert b"--new-token" in said.body


def test_nothing_of_a_request_is_logged_or_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    private = "the damsons of Wendlebury"
    question = QUESTION | {"messages": [{"role": "user", "content": private}]}
    with (
        house(tmp_path / "run", answer=failing(RuntimeError(private), after=(private,))) as served,
        bridged(served.api_path, tmp_path / "token") as crossing,
    ):
        crossing.post(CHAT, question | {"stream": True})
        crossing.post(CHAT, question)
        crossing.get(f"/v1/models/{private.replace(' ', '.')}")
        crossing.ask("GET", f"/{private.replace(' ', '.')}", crossing.right("GET").items())
        with crossing.connected() as client:
            client.sendall(private.encode() + b"\r\n\r\n")
            client.recv(65536)
        token = crossing.token
    told = caplog.text + "".join(capfd.readouterr())
    for word in ("damsons", token):
        assert word not in told
    held = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in held if token.encode() in path.read_bytes()] == ["token"]
    assert not [path for path in held if b"damsons" in path.read_bytes()]
    assert token not in repr(crossing)


def test_the_bridge_knows_neither_the_vault_nor_the_model_nor_administration() -> None:
    code = "import sys, daemon.cli.root, daemon.cli.bridge, ipc.bridge; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip

    loaded = set(done.stdout.split())
    assert Bridge.__module__ in loaded
    assert not loaded & {
        "torch", "numpy", "sqlite3", "cryptography", "storage.vault", "storage.keys", "trainer",
        "ipc.admin_api", "ipc.client", "httpx2",
    }  # fmt: skip


@contextmanager
def listening_once(path: Path) -> Generator[list[list[str]], None, None]:
    """A stand-in for the service that keeps the heads it is sent and answers nothing with 200."""
    heads: list[list[str]] = []
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                seen = b""
                while b"\r\n\r\n" not in seen:
                    seen += connection.recv(65536)
                heads.append(seen.partition(b"\r\n\r\n")[0].decode().split("\r\n"))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield heads
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(SOON_SECONDS)
        listening.close()


def read_until(client: socket.socket, words: bytes, *, times: int = 1) -> bytes:
    """What arrives until `words` were in it so often."""
    seen = b""
    while seen.count(words) < times:
        piece = client.recv(65536)
        assert piece, seen
        seen += piece
    return seen


def request_of(crossing: Crossing, body: object) -> bytes:
    """The bytes of a question, for a client that is a socket."""
    encoded = json.dumps(body).encode()
    lines = [f"{name}: {value}" for name, value in crossing.right("POST").items()]
    head = "\r\n".join([f"POST {CHAT} HTTP/1.1", *lines, f"Content-Length: {len(encoded)}"])
    return head.encode() + b"\r\n\r\n" + encoded
