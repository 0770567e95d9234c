"""Clients of every kind, good and bad, over real connections. Each says how it went.

An outcome is a word: "" where everything was as it has to be, else what was not. It never holds
text that was sent or answered.
"""

import http.client
import json
import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ipc.client import AdminClient
from ipc.client_calls import UnixConnection
from ipc.errors import IpcError

CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"
PATIENCE_SECONDS = 120.0
WORDS = (
    *("the", "bees", "came", "back", "over", "a", "hedge", "and", "we", "counted", "them"),
    *("before", "noon", "while", "rain", "held", "off", "near", "an", "old", "well"),
)
TOO_MANY_WORDS = 3000  # more than the built-in base's context
MOST_PIECES = 6  # that are read before a stream is left
PAUSES = (0.0, 0.002, 0.02, 0.1)  # before a client hangs up, or reads on

Json = dict[str, Any]
Kind = Callable[["Client"], str]


@dataclass
class Client:
    """One user's program; nothing is shared between two of them.

    Args:
        adapters: digests that it may put in use.
    """

    api: Path
    admin: AdminClient
    rng: random.Random
    adapters: Sequence[str] = ()
    tokens: int = field(default=12)  # of an answer, at most

    # ------------------------------------------------------------------- answered to the end

    def answer(self) -> str:
        """A whole answer."""
        return self._answered("POST", CHAT, self._chat(), 200, "choices")

    def short(self) -> str:
        """As little as can be asked for."""
        asked = {"model": self._model(), "prompt": self._words(6), "max_tokens": 2}
        return self._answered("POST", COMPLETION, asked, 200, "choices")

    def stream(self) -> str:
        """All pieces of an answer."""
        with closing(self._connected()) as connection:
            return _ended(self._lines(connection, self._chat() | {"stream": True}))

    def reads_slowly(self) -> str:
        """All of it, a few bytes at a time."""
        with closing(self._connected()) as connection:
            self._send(connection, self._chat() | {"stream": True})
            response = connection.getresponse()
            said = b""
            while piece := response.read1(48):
                said += piece
                time.sleep(self.rng.choice(PAUSES) / 5)  # the pace of a slow reader
            return "" if said.rstrip().endswith(b"[DONE]") else f"cut short, {response.status}"

    def reads_models(self) -> str:
        """What a chat program asks all the time."""
        return (
            self._answered("GET", "/v1/models", None, 200, "data")
            or self._answered("GET", "/health", None, 200, "status")
            or ("" if self.admin.status() else "no status")
        )

    # ------------------------------------------------------------------- left in the middle

    def leaves_a_stream(self) -> str:
        """Hangs up behind some pieces."""
        with closing(self._connected()) as connection:
            pieces = self._lines(connection, self._chat() | {"stream": True, "max_tokens": 400})
            for _ in range(self.rng.randint(1, MOST_PIECES)):
                if not next(pieces, b""):
                    return "ended by itself, too early"
            return ""

    def hangs_up(self) -> str:
        """Wants a whole answer, and does not wait for it."""
        with closing(self._connected()) as connection:
            self._send(connection, self._chat() | {"max_tokens": 400})
            time.sleep(self.rng.choice(PAUSES))  # at any moment of what it asked for
        return ""

    def stops_in_the_headers(self) -> str:
        with socket.socket(socket.AF_UNIX) as half:
            half.connect(str(self.api))
            half.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: n\r\nContent-Le")
        return ""

    def stops_in_the_body(self) -> str:
        with socket.socket(socket.AF_UNIX) as half:
            half.connect(str(self.api))
            half.sendall(b"POST %b HTTP/1.1\r\nHost: n\r\n" % CHAT.encode())
            half.sendall(b'Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{"model"')
        return ""

    # ------------------------------------------------------------------- refused

    def bad_json(self) -> str:
        return self._answered("POST", CHAT, b'{"model": "base", "messages": [', 400, "error")

    def too_long(self) -> str:
        asked = {"model": self._model(), "prompt": self._words(TOO_MANY_WORDS)}
        return self._answered("POST", COMPLETION, asked, 400, "error")

    def unknown_model(self) -> str:
        return self._answered("POST", CHAT, self._chat() | {"model": "nobody"}, 404, "error")

    # ------------------------------------------------------------------- besides

    def swaps(self) -> str:
        """Another adapter answers from now on."""
        try:
            self.admin.use_adapter(self.rng.choice(self.adapters))
        except IpcError as error:
            return type(error).__name__
        return ""

    def fills(self, words: int) -> str:
        """A long prompt that nobody sent before: what is kept of prompts becomes full."""
        asked = {"model": self._model(), "prompt": self._words(words), "max_tokens": 2}
        return self._answered("POST", COMPLETION, asked, 200, "choices")

    # ------------------------------------------------------------------- inside

    def _model(self) -> str:
        return self.rng.choice(("personal", "personal", "base"))

    def _words(self, count: int) -> str:
        return " ".join(self.rng.choices(WORDS, k=count))

    def _chat(self) -> Json:
        turns = [{"role": "user", "content": self._words(self.rng.randint(2, 60))}]
        return {"model": self._model(), "messages": turns, "max_tokens": self.tokens}

    def _connected(self) -> UnixConnection:
        connection = UnixConnection(self.api, timeout=PATIENCE_SECONDS)
        connection.connect()
        return connection

    def _send(self, connection: UnixConnection, asked: Json) -> None:
        body = json.dumps(asked).encode()
        connection.request("POST", CHAT, body, {"Content-Type": "application/json"})

    def _lines(self, connection: UnixConnection, asked: Json) -> Iterator[bytes]:
        """Events of a stream; none where it was refused."""
        self._send(connection, asked)
        response = connection.getresponse()
        if response.status == http.client.OK:
            yield from (line for line in response if line.startswith(b"data: "))

    def _answered(
        self, method: str, route: str, asked: Json | bytes | None, status: int, key: str
    ) -> str:
        body = asked if isinstance(asked, bytes | None) else json.dumps(asked).encode()
        with closing(self._connected()) as connection:
            connection.request(method, route, body, {"Content-Type": "application/json"})
            with connection.getresponse() as response:
                found = json.loads(response.read())
        return "" if response.status == status and key in found else f"status {response.status}"


def _ended(events: Iterator[bytes]) -> str:
    """Whether a stream came to its own end."""
    last, before = b"", b""
    for event in events:
        before, last = last, event
    whole = b"[DONE]" in last and b'"finish_reason"' in before and b"error" not in before
    return "" if whole else "cut short"


KINDS: dict[str, tuple[Kind, int]] = {  # and how often, relative to the others
    "answer": (Client.answer, 6),
    "short": (Client.short, 6),
    "stream": (Client.stream, 6),
    "reads slowly": (Client.reads_slowly, 2),
    "reads models": (Client.reads_models, 4),
    "leaves a stream": (Client.leaves_a_stream, 6),
    "hangs up": (Client.hangs_up, 6),
    "stops in the headers": (Client.stops_in_the_headers, 1),
    "stops in the body": (Client.stops_in_the_body, 1),
    "bad JSON": (Client.bad_json, 2),
    "too long": (Client.too_long, 1),
    "unknown model": (Client.unknown_model, 1),
    "swaps": (Client.swaps, 1),
}


def outcome(kind: Kind, client: Client) -> str:
    """How one request went; whatever goes wrong with it is a word too."""
    try:
        return kind(client)
    except (OSError, http.client.HTTPException, IpcError, ValueError) as error:
        return type(error).__name__
