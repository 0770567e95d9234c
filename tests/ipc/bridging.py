"""A real bridge on a real TCP port, on a thread of its own, in front of the sockets of a house."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ipc.bridge import LIMITS, Bridge
from ipc.bridge_token import ensure_token, read_token
from ipc.listening import Limits
from ipc.loopback import listen, port_of
from tests.ipc.serving import SOON_SECONDS

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Said:
    """What the bridge answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def code(self) -> str:
        """Of an error in OpenAI's form, which it must have."""
        error = json.loads(self.body)["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        return str(error["code"])


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """What a test asks."""

    port: int
    token_file: Path = field(repr=False)

    @property
    def token(self) -> str:
        return read_token(self.token_file).text

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def right(self, method: str) -> dict[str, str]:
        """The headers of a request that is let through."""
        usual = {"Host": f"127.0.0.1:{self.port}", "Authorization": f"Bearer {self.token}"}
        return usual | ({"Content-Type": "application/json"} if method == "POST" else {})

    def ask(self, method: str, target: str, headers: Headers, body: bytes = b"") -> Said:
        """Exactly these headers, in any number, besides the length of the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SOON_SECONDS)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            with connection.getresponse() as response:
                return Said(response.status, response.headers, response.read())
        finally:
            connection.close()

    def post(self, target: str, body: Any, **more: str) -> Said:
        headers = self.right("POST") | more
        return self.ask("POST", target, headers.items(), json.dumps(body).encode())

    def get(self, target: str) -> Said:
        return self.ask("GET", target, self.right("GET").items())

    @contextmanager
    def connected(self) -> Generator[socket.socket, None, None]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=SOON_SECONDS) as client:
            yield client


@contextmanager
def bridged(
    api_socket: Path, token_file: Path, *, limits: Limits = LIMITS, ipv6: bool = False
) -> Generator[Crossing, None, None]:
    """A bridge to the socket; the token is made where there is none."""
    ensure_token(token_file)
    ready, leave = threading.Event(), threading.Event()
    sockets = listen(0, ipv6=ipv6)

    async def serve() -> None:
        bridge = Bridge(api_socket, token_file, limits=limits)
        await bridge.start(sockets)
        ready.set()
        try:
            await asyncio.to_thread(leave.wait)
        finally:
            await bridge.stop()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(SOON_SECONDS)
        yield Crossing(port=port_of(sockets[0]), token_file=token_file)
    finally:
        leave.set()
        thread.join(SOON_SECONDS)
        for each in sockets:
            each.close()
        assert not thread.is_alive()
